# SPDX-License-Identifier: Apache-2.0
"""Plan the cycles of a recorded task again, each from what it was planned from, and compare."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vidplan_core.control.commands import CommittedMotion
from vidplan_core.data.observation import Observation
from vidplan_core.data.readings import seconds
from vidplan_core.planner.motion.committed import motion_of_status
from vidplan_core.planner.plans.result import PlanResult
from vidplan_core.planner.system import PlanningSystem
from vidplan_eval.bags.observations import stitched_observations
from vidplan_eval.bags.recording import FEEDBACK, GOAL, PLAN, STATUS
from vidplan_eval.bags.rosbag import Bag
from vidplan_eval.bags.storage.stored import BagError

# Stamps are of nanoseconds, and floats of seconds since 1970 resolve 0.3 microseconds.
_TICKS_HZ = 1e6


@dataclass(frozen=True)
class OnlineCycle:
    """What a recording tells of a cycle.

    Attributes:
        cycle: its number within the task, from 1.
        past: stamps of the observations that it was planned from, oldest first, microseconds.
        committed: stamp of the committed motion that it continues, microseconds; 0 for none.
        best: number of the chosen candidate.
        score: of the plan.
        terms: that the score is made of, by name; value and uncertainty are among them.
        scores: of all candidates; empty where the plan came too late to be sent.
    """

    cycle: int
    past: tuple[int, ...]
    committed: int
    best: int
    score: float
    terms: dict[str, float] = field(default_factory=dict)
    scores: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class CycleAgain:
    """A cycle as it was planned online, and again."""

    online: OnlineCycle
    result: PlanResult

    @property
    def largest_difference(self) -> float:
        """Of the score, its terms and the candidates' scores; infinite for other candidates."""
        known, again = self.online, self.result
        if known.terms.keys() != again.terms.keys() or known.best != again.best:
            return float('inf')
        pairs = [(known.score, again.score)]
        pairs += [(value, float(again.terms[name])) for name, value in known.terms.items()]
        if known.scores:
            if len(known.scores) != len(again.scores):
                return float('inf')
            pairs += zip(known.scores, again.scores, strict=True)
        return max(_difference(*pair) for pair in pairs)

    def entry(self) -> dict[str, Any]:
        """Return it for a result file; numbers in full, so that files can be compared."""
        terms = {name: float(value) for name, value in self.result.terms.items()}
        return {
            'cycle': self.online.cycle,
            'online': {
                'best': self.online.best, 'score': self.online.score, 'terms': self.online.terms,
                'scores': list(self.online.scores),
            },
            'again': {
                'best': self.result.best, 'score': float(self.result.score), 'terms': terms,
                'scores': [float(score) for score in self.result.scores],
            },
            'largest_difference': self.largest_difference,
        }  # fmt: skip


def digest(cycles: Sequence[CycleAgain]) -> str:
    """Return a hash of every number that was planned again; equal for equal bits only."""
    text = json.dumps([cycle.entry()['again'] for cycle in cycles], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def online_cycles(bag: Bag) -> list[OnlineCycle]:
    """Return the cycles of the last goal of a bag.

    Raises:
        BagError: there is none, or the recorder did not yet keep what they were planned from.
    """
    cycles: dict[int, OnlineCycle] = {}
    scores: dict[int, tuple[float, ...]] = {}
    for role, _, message in bag.messages([GOAL, FEEDBACK, PLAN]):
        if role == GOAL:
            cycles, scores = {}, {}
        elif role == PLAN:  # the first of a cycle; others are sent where that is refused
            scores.setdefault(message.cycle, tuple(map(float, message.candidate_scores)))
        elif message.feedback.cycle:
            feedback = message.feedback
            cycles.setdefault(feedback.cycle, _online(bag, feedback))
    if not cycles:
        raise BagError(f'{bag.path} has no feedback of a goal; it has {bag.present()}')
    return [
        OnlineCycle(**{**vars(cycle), 'scores': scores.get(number, ())})
        for number, cycle in sorted(cycles.items())
    ]


def _online(bag: Bag, feedback: Any) -> OnlineCycle:
    stamps = getattr(feedback, 'past_stamps', None)
    if stamps is None:
        raise BagError(f'{bag.path} was recorded before feedback had what plans are made from')
    return OnlineCycle(
        cycle=int(feedback.cycle),
        past=tuple(_ticks(seconds(stamp)) for stamp in stamps),
        committed=_ticks(seconds(feedback.committed_stamp)),
        best=int(feedback.best_candidate),
        score=float(feedback.score),
        terms=dict(zip(feedback.term_names, map(float, feedback.term_values), strict=True)),
    )


def plan_again(
    bag: Bag, system: PlanningSystem, instruction: str, target: str = ''
) -> Iterator[CycleAgain]:
    """Plan every cycle of the last goal of a bag, one after the other, as one task.

    Raises:
        BagError: as `online_cycles` does, a cycle is missing, or what it was planned from is.
        VidPlanError: what planning raises.
    """
    cycles = online_cycles(bag)
    committed = _committed(bag, {cycle.committed for cycle in cycles} - {0})
    past = PastReader(bag, system, cycles)
    task = system.new_task(instruction, target)
    for number, cycle in enumerate(cycles, 1):
        if cycle.cycle != number:
            raise BagError(f'{bag.path} has no feedback of cycle {number}; later ones follow it')
        motion = committed.get(cycle.committed)
        if cycle.committed and motion is None:
            raise BagError(f'{bag.path} lacks the status that cycle {number} was planned from')
        yield CycleAgain(cycle, system.plan(task, past.of(cycle), motion))


def _committed(bag: Bag, wanted: set[int]) -> dict[int, CommittedMotion]:
    found = {}
    for _, _, message in bag.messages([STATUS]):
        motion = motion_of_status(message)
        if motion is not None and (key := _ticks(float(motion.times_s[0]))) in wanted:
            found[key] = motion
    return found


class PastReader:
    """Reads a bag's observations once, and keeps those that are still needed."""

    def __init__(self, bag: Bag, system: PlanningSystem, cycles: Sequence[OnlineCycle]) -> None:
        """Read what these cycles, in their order, were planned from."""
        self._path = bag.path
        self._last = {key: cycle.cycle for cycle in cycles for key in cycle.past}
        layout = system.world_model.config.layout
        self._stream = stitched_observations(bag, layout, lambda s: _ticks(s) in self._last)
        self._kept: dict[int, Observation] = {}

    def of(self, cycle: OnlineCycle) -> list[Observation]:
        """Return a cycle's past, oldest first.

        Raises:
            BagError: the recording lacks one of its observations.
        """
        while not all(key in self._kept for key in cycle.past):
            seen = next(self._stream, None)
            if seen is None:
                raise BagError(
                    f'{self._path} lacks an observation that cycle {cycle.cycle} was planned from'
                )
            self._kept[_ticks(seen.stamp_s)] = seen
        past = [self._kept[key] for key in cycle.past]
        self._kept = {k: v for k, v in self._kept.items() if self._last[k] > cycle.cycle}
        return past


def _ticks(time_s: float) -> int:
    return round(time_s * _TICKS_HZ)


def _difference(first: float, second: float) -> float:
    """Between two numbers; 0 for two NaN, infinite for one."""
    if np.isnan(first) or np.isnan(second):
        return 0.0 if np.isnan(first) and np.isnan(second) else float('inf')
    return abs(first - second)
