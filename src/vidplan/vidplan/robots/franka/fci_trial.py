# SPDX-License-Identifier: Apache-2.0
"""Random plans through adapter and process to an arm, and what the arm says of them."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vidplan.robots.franka.fci_link import FciReport, Follow, Recover
from vidplan.robots.franka.fci_process import FciProcess
from vidplan_core.control.adapter import ActionAdapter
from vidplan_core.control.commands import PlanCommand, TrajectoryCommand
from vidplan_core.control.config import AdapterConfig
from vidplan_core.control.franka.robot_state import MOVE
from vidplan_core.control.rejection import (
    FROZEN,
    JOINT_JUMP,
    REFUSED,
    ROBOT_REFLEX,
    TRACKING,
)
from vidplan_core.control.timeline import Follows
from vidplan_core.errors import CommandRejectedError
from vidplan_eval.suites.adapter.hard_plans import HardPlans

# A plan every so many seconds, some of which a stop follows; how long the adapter waits for words.
_PLAN_S, _STOP, _POLL_S = 0.3, 0.1, 0.02
# Of a pick: between poses over the table, m; frames and their period, s; how soon it is due, s.
_LOWER, _UPPER = (0.36, -0.25, 0.16), (0.62, 0.25, 0.45)
_STEP_M, _FRAMES, _PERIOD_S, _AHEAD_S = 0.12, 5, 0.2, 0.15
_PICKS = 0.7
# A joint that is slower rests, rad/s.
_REST_RAD_S = 0.01
# Faults of the adapter that stay until somebody looks; a reflex is looked at by `provoke`.
_STAY = (REFUSED, TRACKING, JOINT_JUMP, FROZEN)


@dataclass
class FciResult:
    """What became of plans on the arm.

    Attributes:
        seconds: that plans were sent for, by the clock of reports.
        cycles: commands of 1 ms that the arm took.
        plans: handed to the adapter.
        accepted: of them, sent to the arm.
        stops: sent.
        rejected: plans and stops that the adapter did not let pass, by reason.
        refusals: trajectories that the process at the arm did not take, by reason.
        reflexes: what stopped the arm, by libfranka's names.
        way_rad: summed motion of all joints.
        recovered: whether it stopped itself when provoked, and then moved again; None if it was
            not provoked.
    """

    seconds: float = 0.0
    cycles: int = 0
    plans: int = 0
    accepted: int = 0
    stops: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    reflexes: Counter[str] = field(default_factory=Counter)
    way_rad: float = 0.0
    recovered: bool | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        counts = {name: dict(getattr(self, name)) for name in ('rejected', 'refusals', 'reflexes')}
        return vars(self) | counts


class FciTrial:
    """One arm, commanded as the adapter commands it."""

    def __init__(self, process: FciProcess, seed: int) -> None:
        """Send nothing yet."""
        self.result = FciResult()
        self._process, self._link = process, process.link
        self._config = AdapterConfig()
        self._adapter = ActionAdapter(self._config)
        self._random = np.random.default_rng(seed)
        self._hard = HardPlans(self._random)
        self._goal = self._draw_goal()
        self._report: FciReport = process.first

    def run(self, seconds: float) -> None:
        """Send plans and stops for so long."""
        began_s = next_s = self._now_s
        while (now_s := self._now_s) < began_s + seconds and self._process.runs:
            self._hear()
            output = self._adapter.poll(self._now_s)
            if output.trajectory is not None:
                self._send(output.trajectory)
            if now_s >= next_s:
                next_s = now_s + _PLAN_S
                self._plan()
        self.result.seconds += self._now_s - began_s

    @property
    def _now_s(self) -> float:
        """Of the last report: an arm whose own time passes slowly is commanded slowly."""
        return self._report.stamp_s

    def provoke(self, pause_s: float) -> None:
        """Hold the process at the arm up in mid-motion, recover, and see whether it moves."""
        before = sum(self.result.reflexes.values())
        os.kill(self._process.pid, signal.SIGSTOP)
        time.sleep(pause_s)
        os.kill(self._process.pid, signal.SIGCONT)
        deadline_s = time.monotonic() + 5.0
        while time.monotonic() < deadline_s and sum(self.result.reflexes.values()) == before:
            self._hear()
        self._link.say(Recover())
        deadline_s = time.monotonic() + 10.0
        while time.monotonic() < deadline_s and self._report.state.mode != MOVE:
            self._hear()
        self._adapter.reset()
        way = self.result.way_rad
        self.run(5.0)
        stopped = sum(self.result.reflexes.values()) > before
        self.result.recovered = stopped and self.result.way_rad > way + 0.05

    def _plan(self) -> None:
        now_s = self._now_s
        self.result.plans += 1
        try:
            if self._random.random() < _STOP:
                self.result.stops += 1
                self._send(self._adapter.stop(now_s))
            else:
                self._send(self._adapter.on_plan(self._draw(now_s), now_s))
                self.result.accepted += 1
        except CommandRejectedError as error:
            self.result.rejected[error.reason] += 1

    def _draw(self, now_s: float) -> PlanCommand:
        motion = self._adapter.committed(now_s)
        if self._random.random() > _PICKS:
            return self._hard.draw(motion, now_s, self.result.plans)
        row = int(np.abs(motion.times_s - now_s - _AHEAD_S).argmin())
        way = self._goal - motion.position[row]
        if (length := float(np.linalg.norm(way))) < 0.02:
            self._goal = self._draw_goal()
        part = np.linspace(0.0, 1.0, _FRAMES)
        shape = (part * part * (3 - 2 * part))[:, None]
        positions = motion.position[row] + shape * way * min(1.0, _STEP_M / max(length, 1e-6))
        return PlanCommand(
            self.result.plans, now_s, now_s + _AHEAD_S, _PERIOD_S, positions,
            np.tile(motion.quaternion[row], (_FRAMES, 1)), np.zeros(_FRAMES),
        )  # fmt: skip

    def _draw_goal(self) -> np.ndarray:
        return self._random.uniform(_LOWER, _UPPER)

    def _send(self, command: TrajectoryCommand) -> None:
        points = command.points
        times = np.array([point.time_from_start_s for point in points])
        states = (np.stack([getattr(one, key) for one in points]) for key in ('q', 'dq', 'ddq'))
        self._link.say(Follow(command.stamp_s, times, *states))

    def _hear(self) -> None:
        report = self._link.wait(_POLL_S)
        while (newer := self._link.hear()) is not None:
            report = newer  # a busy machine must not have us live in the past
        if not isinstance(report, FciReport):
            return
        before, self._report = self._report, report
        state = report.state
        names = self._config.robot.joint_names
        self._adapter.on_joint_state(report.stamp_s, names, state.q, state.dq, report.stamp_s)
        self._count(before, report)

    def _count(self, before: FciReport, report: FciReport) -> None:
        result, state = self.result, report.state
        result.cycles = report.cycles
        result.way_rad += float(np.abs(state.q - before.state.q).sum())
        if report.refusals > before.refusals:
            result.refusals[report.refusal.split(':')[0]] += report.refusals - before.refusals
            self._adapter.on_fault(REFUSED, report.refusal, Follows.BEFORE)
        if before.state.mode == MOVE and state.mode != MOVE:
            why = ' '.join(state.errors or state.last_errors) or report.problem or 'not named'
            result.reflexes[why] += 1
            self._adapter.on_fault(ROBOT_REFLEX, why, Follows.NOTHING)
        elif state.mode == MOVE and self._adapter.status(self._now_s).verdict.reason in _STAY:
            self._rearm()

    def _rearm(self) -> None:
        """Go on after a fault that is no reflex: rearm, or activate the adapter anew at rest."""
        try:
            self._send(self._adapter.rearm(self._now_s))
        except CommandRejectedError:
            fastest = np.abs(self._report.state.dq).max()
            if not self._adapter.status(self._now_s).moving and fastest < _REST_RAD_S:
                self._adapter.reset()
