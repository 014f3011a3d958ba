# SPDX-License-Identifier: Apache-2.0
"""Methods by name: the planner's compositions, and rules with what they know of the towel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from vidplan_core.errors import ConfigError
from vidplan_core.language.instruction import FOLD
from vidplan_core.planner.system import PlanningSystem
from vidplan_eval.lockstep import LockStep, LockstepPlanner, Pace, Run
from vidplan_eval.suites.fold.names import EXPERT, NOTHING, RULES, SCRIPTED
from vidplan_eval.suites.fold.picture_sight import PictureSight
from vidplan_eval.suites.fold.rule import FoldPlanner
from vidplan_eval.suites.fold.scenes import FoldEpisode
from vidplan_eval.suites.fold.sights import TrueFoldSight
from vidplan_eval.suites.judging.rule import IdlePlanner
from vidplan_eval.world import World


class FoldMethod(Protocol):
    """One way to do the task."""

    def follow(self, world: World, episode: FoldEpisode, enough: Callable[[], bool]) -> Run:
        """Follow the episode's instruction in a world that stands at its start."""
        ...


# Makes whoever plans in a world; only the expert's looks into it.
MakePlanner = Callable[[World], LockstepPlanner]


@dataclass(frozen=True)
class Following:
    """Follows with a planner that is made for each world."""

    make: MakePlanner
    pace: Pace

    def follow(self, world: World, episode: FoldEpisode, enough: Callable[[], bool]) -> Run:
        """See `FoldMethod`."""
        loop = LockStep(self.make(world), world, self.pace)
        return loop.follow(episode.instruction, enough=enough)


def make_fold_method(name: str, system: PlanningSystem, pace: Pace) -> FoldMethod:
    """The method of a name; `system` plans by the composition of that name.

    Raises:
        ConfigError: these models cannot fold by that method.
    """
    if name not in RULES and FOLD not in system.kinds:
        raise ConfigError(
            f"method '{name}' cannot fold with these models, which have no policy that does; "
            f'choose vidplan, {", ".join(RULES)}'
        )
    makers: dict[str, MakePlanner] = {
        EXPERT: lambda world: FoldPlanner(TrueFoldSight(world.cell), world.period_s),
        SCRIPTED: lambda world: FoldPlanner(
            PictureSight(system.parts.locator, world.layout), world.period_s
        ),
        NOTHING: lambda world: IdlePlanner(world.period_s),
    }
    return Following(makers.get(name, lambda world: system), pace)
