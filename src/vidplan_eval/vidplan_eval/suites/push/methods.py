# SPDX-License-Identifier: Apache-2.0
"""Methods by name: the planner's compositions, and rules with what they know of the thing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from vidplan_core.errors import ConfigError
from vidplan_core.language.instruction import PUSH
from vidplan_core.planner.system import PlanningSystem
from vidplan_eval.lockstep import LockStep, LockstepPlanner, Pace, Run
from vidplan_eval.suites.judging.rule import IdlePlanner
from vidplan_eval.suites.pick_place.sights import Looker
from vidplan_eval.suites.push.names import EXPERT, NOTHING, RULES, SCRIPTED
from vidplan_eval.suites.push.rule import FirstPushSight, PushPlanner, true_sight
from vidplan_eval.suites.push.scenes import PushEpisode
from vidplan_eval.world import World
from vidplan_sim.objects.catalogue import kind_named


class PushMethod(Protocol):
    """One way to do the task."""

    def follow(self, world: World, episode: PushEpisode, enough: Callable[[], bool]) -> Run:
        """Follow the episode's instruction in a world that stands at its start."""
        ...


# Makes whoever plans in a world; only the expert's looks into it.
MakePlanner = Callable[[World, PushEpisode], LockstepPlanner]


@dataclass(frozen=True)
class FollowingPush:
    """Follows with a planner that is made for each world and episode."""

    make: MakePlanner
    pace: Pace

    def follow(self, world: World, episode: PushEpisode, enough: Callable[[], bool]) -> Run:
        """See `PushMethod`."""
        loop = LockStep(self.make(world, episode), world, self.pace)
        return loop.follow(episode.instruction, enough=enough)


def make_push_method(name: str, system: PlanningSystem, pace: Pace) -> PushMethod:
    """The method of a name; `system` plans by the composition of that name.

    Raises:
        ConfigError: these models cannot push by that method.
    """
    if name not in RULES and PUSH not in system.kinds:
        raise ConfigError(f"method '{name}' cannot push; choose vidplan, {', '.join(RULES)}")

    def expert(world: World, episode: PushEpisode) -> LockstepPlanner:
        sight = true_sight(world.cell, episode.kind)
        return PushPlanner(sight, episode.way, world.period_s)

    def scripted(world: World, episode: PushEpisode) -> LockstepPlanner:
        looker = Looker(system.parts.locator, world.layout)
        sight = FirstPushSight(looker, kind_named(episode.kind).noun, episode.way)
        return PushPlanner(sight, episode.way, world.period_s)

    makers: dict[str, MakePlanner] = {
        EXPERT: expert,
        SCRIPTED: scripted,
        NOTHING: lambda world, episode: IdlePlanner(world.period_s),
    }
    return FollowingPush(makers.get(name, lambda world, episode: system), pace)
