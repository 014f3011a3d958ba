# SPDX-License-Identifier: Apache-2.0
"""Commands a robot a thousand times a second: a process without ROS, which nothing holds up."""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from socket import socket

import numpy as np

from vidplan.robots.franka.fci_arm import Array, FciArm, FciError, FciState
from vidplan.robots.franka.fci_link import FciLink, FciReport, Follow, Recover
from vidplan_core.control.franka.gap_bridge import GapBridge
from vidplan_core.control.franka.robot_state import IDLE
from vidplan_core.control.franka.set_points import SetPoints
from vidplan_core.errors import CommandRejectedError
from vidplan_core.geometry.limits import JointLimits

CYCLE_S = 0.001
# A state that is later than this comes after some that were missed, s.
_MISSED_S = 1.5 * CYCLE_S
# What is sent so long after its state came is dropped by the robot, s.
_TOO_LATE_S = 0.8 * CYCLE_S
# The robot says in single precision where it was commanded to be, rad.
_SAME_RAD = 5e-7


class FciLoop:
    """Follows trajectories while the robot lets it, and reports.

    After an error nothing is commanded until somebody asks to recover. When the process that
    asks is gone, the motion under way ends at rest, and the loop with it.
    """

    def __init__(
        self,
        arm: FciArm,
        link: FciLink,
        limits: JointLimits,
        report_s: float,
        clock: Callable[[], float] | None = None,
        steady: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Command nothing yet.

        Args:
            arm: the robot.
            link: to who says what it shall follow.
            limits: that no motion may break.
            report_s: time between reports, s.
            clock: of reports and trajectories, s; None: the arm's own, which a simulation has
                that waits for commands.
            steady: time that nobody sets, s.
        """
        self._arm, self._link, self._limits = arm, link, limits
        self._report_s, self._next_report_s = report_s, 0.0
        self._now_s = 0.0
        self._waits, self._steady = clock is None, steady
        self._clock = clock or (lambda: self._now_s)
        self._points: SetPoints | None = None
        self._begin()
        self._refusals, self._refusal, self._problem = 0, '', ''
        self._cycles = 0
        self.ending = False

    def run(self) -> None:
        """Command until `ending` is set or nobody is left.

        Raises:
            FciError: the robot cannot even be looked at.
        """
        ready = self._arm.look().mode == IDLE
        while not self._is_over():
            try:
                if ready:
                    self._command()
                ready = self._wait()
            except FciError as error:
                self._problem, ready = str(error), False
        self._arm.end()

    def _begin(self) -> None:
        """Forget the last motion."""
        self._bridge = GapBridge(CYCLE_S)
        self._sent: deque[Array] = deque(maxlen=3)
        self._read_s, self._answered_s = self._steady(), self._now_s

    def _command(self) -> None:
        """Follow what comes until the end; raises FciError where the robot stops."""
        self._arm.start()
        self._problem = ''
        self._begin()
        try:
            while True:
                state, step_s = self._arm.read()
                if self._points is None:
                    self._points = SetPoints(state.q_d, self._limits)
                self._now_s += step_s
                if self._is_over() and self._now_s >= self._points.end_s:
                    return
                if self._is_late(step_s):
                    continue
                self._answer(state, self._points)
                self._take()
                self._report(state)
        finally:
            self._points = None  # the next motion begins where the robot then is

    def _is_late(self, step_s: float) -> bool:
        """Whether we got the state when its cycle was over; then a newer one waits already.

        Never twice in a row: a robot that is slower itself has to be answered.
        """
        before_s, self._read_s = self._read_s, self._steady()
        late = self._read_s - before_s > step_s + _TOO_LATE_S
        return late and not self._waits and self._now_s - self._answered_s < _MISSED_S

    def _answer(self, state: FciState, points: SetPoints) -> None:
        """Command the next position."""
        if self._now_s - self._answered_s > _MISSED_S or self._went_alone(state.q_d):
            self._cross_gap(state, points)
        next_s = self._now_s + CYCLE_S
        self._sent.append(points.sample(next_s)[0] + self._bridge.sample(next_s))
        self._arm.write(self._sent[-1])
        self._cycles, self._answered_s = self._cycles + 1, self._now_s

    def _went_alone(self, q_d: Array) -> bool:
        """Whether the robot was commanded to be elsewhere than we said: a command was lost.

        It says the last command that it took; one that it says a little later is no loss.
        """
        return bool(self._sent) and all(
            np.abs(q_d - one).max() > _SAME_RAD for one in self._sent
        )

    def _cross_gap(self, state: FciState, points: SetPoints) -> None:
        """Go on from where the robot went without commands, which came too late for it."""
        wanted = [points.sample(self._now_s - cycles * CYCLE_S)[0] for cycles in range(3)]
        self._bridge.begin(self._now_s, (state.q_d, state.dq_d, state.ddq_d), wanted)

    def _take(self) -> None:
        """Join a trajectory to what is commanded next, where one has come."""
        message = self._link.hear()
        if not isinstance(message, Follow) or self._points is None:
            return
        ago_s = 0.0 if message.start_s is None else self._clock() - message.start_s
        times_s = self._now_s - ago_s + message.times_s
        try:
            next_s = self._now_s + CYCLE_S
            self._points.accept(next_s, times_s, message.q, message.dq, message.ddq)
        except CommandRejectedError as error:
            self._refuse(str(error))

    def _refuse(self, why: str) -> None:
        self._refusals, self._refusal = self._refusals + 1, why
        self._next_report_s = self._now_s

    def _wait(self) -> bool:
        """Look at the robot until somebody asks to recover, and do; whether it is back."""
        while not self._is_over():
            state = self._arm.look()
            self._now_s += self._report_s
            self._next_report_s = self._now_s
            self._report(state)
            message = self._link.wait(self._report_s)
            if isinstance(message, Recover):
                return self._recover(state)
            if isinstance(message, Follow):
                self._refuse(f'the robot is not commanded: {self._problem or "it is not idle"}')
        return False

    def _recover(self, state: FciState) -> bool:
        if state.mode != IDLE or state.errors:
            self._arm.recover()
            state = self._arm.look()
        self._problem = '' if state.mode == IDLE else 'the robot is not idle; look at Desk'
        return not self._problem

    def _report(self, state: FciState) -> None:
        if self._now_s < self._next_report_s:
            return
        self._next_report_s = self._now_s + self._report_s
        self._link.say(
            FciReport(self._clock(), state, self._refusals, self._refusal, self._problem,
                   self._cycles)
        )  # fmt: skip

    def _is_over(self) -> bool:
        return self.ending or self._link.is_left


def serve(
    connect: Callable[[], FciArm],
    end: socket,
    limits: JointLimits,
    report_s: float,
    priority: int,
    clock: Callable[[], float] | None,
) -> None:
    """Run a loop as the whole of a process, with a real-time priority where that is allowed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started us ends us, at rest
    link = FciLink(end)
    if priority:
        with suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    try:
        loop = FciLoop(connect(), link, limits, report_s, clock)
        signal.signal(signal.SIGTERM, lambda *_: setattr(loop, 'ending', True))
        gc.collect()
        gc.freeze()
        gc.disable()  # a pause of some milliseconds is a reflex
        loop.run()
    except FciError as error:
        print(f'FCI_FAILED: {error}', file=sys.stderr, flush=True)
        sys.exit(1)
