# SPDX-License-Identifier: Apache-2.0
"""Joint states that cannot be true, and stops, at random moments: what moves, and how long."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidplan_core.control.adapter import ActionAdapter
from vidplan_core.control.commands import PlanCommand, TrajectoryCommand
from vidplan_core.control.config import AdapterConfig
from vidplan_core.control.watchdog import FINE, PLAN_OVERDUE
from vidplan_core.data.action import PoseChunk
from vidplan_core.errors import CommandRejectedError, ObservationError
from vidplan_eval.suites.adapter.independent_arm import IndependentArm
from vidplan_eval.suites.random_motions import PERIOD_S, ArmStart, RandomMotions

Array = NDArray[np.float64]

# What joint states say of true angles (7,), so many seconds after a fault began at other angles.
Lie = Callable[[Array, float, Array], Array]

# Joint states come and the adapter is asked so often, s; faults are looked at for so long, s.
_STEP_S, _LOOK_S = 0.02, 2.0
# Faults begin within this part of a motion: later, too little of it is left to be noticed in.
_BEGIN = 0.05, 0.6
# Spacing at which ways are compared, s.
_FINE_S = 1e-3


def _lies(random: np.random.Generator) -> Mapping[str, Lie]:
    """Draw one lie of each kind; `frozen` is one only while the arm moves."""
    joint = np.eye(7)[random.integers(7)] * random.choice([-1.0, 1.0])
    offset, rate = random.uniform(0.2, 2.0) * joint, random.uniform(0.2, 1.0) * joint
    other = random.uniform(-2.5, 2.5, 7)
    return {
        'offset': lambda q, since_s, began: q + offset,
        'drift': lambda q, since_s, began: q + since_s * rate,
        'other_arm': lambda q, since_s, began: other,
        'degrees': lambda q, since_s, began: np.degrees(q),
        'nan': lambda q, since_s, began: q * np.nan,
        'frozen': lambda q, since_s, began: began,
    }


@dataclass(frozen=True)
class Halt:
    """What became of one fault.

    Attributes:
        kind: of the fault.
        reason: by which the adapter names it, '' where it does not.
        away_rad: how far any joint went from the way that it was sent on, or from where it rested.
        rest_s: how long the arm moved on.
    """

    kind: str
    reason: str
    away_rad: float
    rest_s: float


class FaultTrial:
    """An adapter and an arm that shares no code with it, on one random motion."""

    def __init__(self, config: AdapterConfig, arm: IndependentArm, seed: int) -> None:
        """Send a motion that the adapter accepts."""
        self.random = np.random.default_rng(seed)
        self._config, self._arm = config, arm
        motions = RandomMotions(config.robot, seed)
        while not self._sent(start := motions.start(), motions.chunk(start)):
            pass
        self.end_s = self._adapter.status(0.0).rest_in_s

    def _sent(self, start: ArmStart, chunk: PoseChunk) -> bool:
        self._adapter, moment = ActionAdapter(self._config), (start.q, start.dq)
        self._arm.rest_at(start.q)
        self._adapter.on_joint_state(0.0, self._config.robot.joint_names, *moment)
        frames = (chunk.position[0], chunk.quaternion[0], chunk.closedness[0])
        plan = PlanCommand(1, 0.0, 0.0, PERIOD_S, *(values.double().numpy() for values in frames))
        try:
            self._follow(self._adapter.on_plan(plan, 0.0), 0.0)
        except CommandRejectedError:
            return False
        return True

    def stop(self) -> float:
        """Ask for a stop in mid motion; return how long the arm moves on, s."""
        begin_s = self._begin_s()
        self._watch(_STEP_S, begin_s)
        self._follow(self._adapter.stop(begin_s), begin_s)
        return self._rest_s(begin_s)

    def resting(self, kind: str) -> Halt:
        """Lie of an arm that rests at the end of its motion."""
        self._watch(_STEP_S, self.end_s + 0.2)
        return self._lie(kind, self.end_s + 0.2)

    def moving(self, kind: str) -> Halt:
        """Lie of an arm in mid motion."""
        begin_s = self._begin_s()
        self._watch(_STEP_S, begin_s)
        return self._lie(kind, begin_s)

    def _begin_s(self) -> float:
        return float(self.random.uniform(*_BEGIN) * self.end_s)

    def _lie(self, kind: str, begin_s: float) -> Halt:
        way = self._arm.state(np.arange(begin_s, max(self.end_s, begin_s) + _FINE_S, _FINE_S))[0]
        lie = _lies(self.random)[kind]
        seen, reason = self._watch(begin_s, begin_s + _LOOK_S, lie)
        # From every place where the arm was to the nearest on its way, joint by joint.
        away = np.abs(seen[:, None] - way[None]).max(-1).min(-1)
        return Halt(kind, reason, float(away.max()), self._rest_s(begin_s))

    def _watch(self, begin_s: float, end_s: float, lie: Lie | None = None) -> tuple[Array, str]:
        """Let time pass; returns where the arm was (K, 7), and the first fault's name."""
        names, seen, reason = self._config.robot.joint_names, [], ''
        began = self._arm.state(np.array([begin_s]), first=True)[0]
        for now_s in np.arange(begin_s, end_s, _STEP_S).tolist():
            q, dq, _ = self._arm.state(np.array([now_s]), first=True)
            shown = lie(q, now_s - begin_s, began) if lie else q
            try:
                self._adapter.on_joint_state(now_s, names, shown, dq)
            except ObservationError as error:
                reason = reason or error.code
            if (command := self._adapter.poll(now_s).trajectory) is not None:
                self._follow(command, now_s)
            found = self._adapter.status(now_s).verdict.reason
            reason = reason or (found if found not in (FINE, PLAN_OVERDUE) else '')
            seen.append(q)
        return np.stack(seen), reason

    def _follow(self, command: TrajectoryCommand, now_s: float) -> None:
        points = command.points
        times = [point.time_from_start_s for point in points]
        q, dq, ddq = ([getattr(point, name) for point in points] for name in ('q', 'dq', 'ddq'))
        self._arm.follow(times, q, dq, ddq, now_s)
        self._rests_at_s = now_s + times[-1]

    def _rest_s(self, begin_s: float) -> float:
        return max(0.0, self._rests_at_s - begin_s)


def try_stops(tries: int, seed: int) -> dict[str, Any]:
    """Try so many faults at rest, faults in motion, and stops; equal seeds, equal results."""
    config, kinds = AdapterConfig(), list(_lies(np.random.default_rng(0)))
    safety = config.safety
    boxes = ((box.lower, box.upper) for box in (safety.tool_box, safety.flange_box))
    arm = IndependentArm(np.array(config.robot.home), [], *boxes)
    still, moving, stops = [], [], []
    for number in range(tries):
        first = seed + 3 * number
        still.append(FaultTrial(config, arm, first).resting(kinds[number % (len(kinds) - 1)]))
        moving.append(FaultTrial(config, arm, first + 1).moving(kinds[number % len(kinds)]))
        stops.append(FaultTrial(config, arm, first + 2).stop())
    return {
        'tries': tries, 'resting': _summary(still), 'moving': _summary(moving),
        'stops': spread(stops), 'settings': {'seed': seed},
    }  # fmt: skip


def _summary(halts: list[Halt]) -> dict[str, Any]:
    reasons: dict[str, dict[str, int]] = {}
    for halt in halts:
        named = reasons.setdefault(halt.kind, {})
        named[halt.reason] = named.get(halt.reason, 0) + 1
    return {
        'named': sum(bool(halt.reason) for halt in halts),
        'away_max_rad': max(halt.away_rad for halt in halts),
        'rest': spread([halt.rest_s for halt in halts]),
        'reasons': reasons,
    }


def spread(seconds: list[float]) -> dict[str, float]:
    """Median, 99th percentile and longest of some durations, at least one, s."""
    p50_s, p99_s = np.quantile(seconds, (0.5, 0.99))
    return {'p50_s': float(p50_s), 'p99_s': float(p99_s), 'max_s': max(seconds)}


def spread_words(times: dict[str, float]) -> str:
    """What `spread` found, for people."""
    return (
        f'{times["p50_s"]:.2f} s (50 %), {times["p99_s"]:.2f} s (99 %), '
        f'{times["max_s"]:.2f} s at most'
    )
