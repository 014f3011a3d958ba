# SPDX-License-Identifier: Apache-2.0
"""Methods by name: every composition of the planner, and those that only an evaluation can have.

The expert and the oracle know the truth: they bound what can be reached, and plan nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from vidplan_core.planner.system import PlanningSystem
from vidplan_eval.lockstep import LockStep, LockstepPlanner, Pace, Run
from vidplan_eval.suites.pick_place.names import EXPERT, ORACLE, SCRIPTED
from vidplan_eval.suites.pick_place.oracle import BranchWorth, OraclePlanner
from vidplan_eval.suites.pick_place.rule import RulePlanner
from vidplan_eval.suites.pick_place.scenes import PickPlaceEpisode
from vidplan_eval.suites.pick_place.sights import FirstSight, Looker, TrueSight
from vidplan_eval.world import World
from vidplan_sim.cell import Cell
from vidplan_sim.objects.catalogue import kind_named


class Method(Protocol):
    """One way to do a task."""

    def follow(
        self, world: World, episode: PickPlaceEpisode, enough: Callable[[], bool]
    ) -> Run:
        """Follow the episode's instruction in a world that stands at its start."""
        ...


@dataclass(frozen=True)
class Planned:
    """A planning system, which knows nothing but its observations."""

    system: PlanningSystem
    pace: Pace

    def follow(
        self, world: World, episode: PickPlaceEpisode, enough: Callable[[], bool]
    ) -> Run:
        """See `Method`."""
        return _loop(self.system, world, self.pace, episode, enough)


@dataclass(frozen=True)
class Expert:
    """The rule, given the ground truth."""

    pace: Pace

    def follow(
        self, world: World, episode: PickPlaceEpisode, enough: Callable[[], bool]
    ) -> Run:
        """See `Method`."""
        sight = TrueSight(world.cell, episode.kind)
        planner = RulePlanner(sight, episode.kind, world.period_s)
        return _loop(planner, world, self.pace, episode, enough)


@dataclass(frozen=True)
class Scripted:
    """The rule, given once where the planner's locator sees target and bowl."""

    system: PlanningSystem
    pace: Pace

    def follow(
        self, world: World, episode: PickPlaceEpisode, enough: Callable[[], bool]
    ) -> Run:
        """See `Method`."""
        looker = Looker(self.system.parts.locator, world.layout)
        sight = FirstSight(looker, kind_named(episode.kind).noun)
        planner = RulePlanner(sight, episode.kind, world.period_s)
        return _loop(planner, world, self.pace, episode, enough)


@dataclass(frozen=True)
class OracleOfN:
    """A planning system whose candidates the simulator chooses among."""

    system: PlanningSystem
    pace: Pace
    branches: Cell

    def follow(
        self, world: World, episode: PickPlaceEpisode, enough: Callable[[], bool]
    ) -> Run:
        """See `Method`."""
        worth = BranchWorth(world, self.branches, episode.kind)
        return _loop(OraclePlanner(self.system, worth), world, self.pace, episode, enough)


def make_method(name: str, system: PlanningSystem, pace: Pace) -> Method:
    """The method of a name; `system` plans by `composition_of(name)`."""
    if name == EXPERT:
        return Expert(pace)
    if name == SCRIPTED:
        return Scripted(system, pace)
    if name == ORACLE:
        return OracleOfN(system, pace, Cell())
    return Planned(system, pace)


def _loop(
    planner: LockstepPlanner,
    world: World,
    pace: Pace,
    episode: PickPlaceEpisode,
    enough: Callable[[], bool],
) -> Run:
    return LockStep(planner, world, pace).follow(episode.instruction, enough=enough)
