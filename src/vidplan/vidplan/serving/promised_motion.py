# SPDX-License-Identifier: Apache-2.0
"""What a client was promised that its arm will do: plans as commands at a fixed rate."""

from __future__ import annotations

from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray

from vidplan_core.control.adapter import ActionAdapter
from vidplan_core.control.commands import CommittedMotion, PlanCommand
from vidplan_core.control.config import AdapterConfig
from vidplan_core.control.watchdog import FINE
from vidplan_core.errors import CommandRejectedError
from vidplan_core.geometry.robot import RobotModel
from vidplan_core.planner.motion.committed import angles_at
from vidplan_core.planner.plans.result import PlanResult

Array = NDArray[np.float64]

# An arm further than this from where it was sent does not follow: it is planned for anew, rad.
FOLLOWED_RAD = 0.05


class PromisedMotion:
    """The action adapter of the robot's side, here at the end of a connection.

    Its checks hold as they do on a robot: what it refuses is not promised. Unlike there, an arm
    that does not follow is no fault, because nobody but the client commands it: the promise is
    forgotten, and the next motion starts where the arm is.
    """

    def __init__(self, robot: RobotModel, period_s: float) -> None:
        """Promise motions of a robot; `period_s` is the time between frames of a plan, s."""
        self._adapter = ActionAdapter(AdapterConfig(robot=robot))
        self._names, self._period_s = robot.joint_names, period_s
        self._plans = 0

    def look(self, now_s: float, q: Array, closedness: float) -> CommittedMotion:
        """What the arm is to do from now on, given where it is measured to be.

        Raises:
            CommandRejectedError: no arm of this kind can be measured there.
        """
        self._measure(now_s, q, closedness)
        promised = self._adapter.committed(now_s)
        off_rad = float(np.abs(promised.q[0] - q).max())
        if off_rad > FOLLOWED_RAD or self._adapter.status(now_s).verdict.reason != FINE:
            self.forget()
            self._measure(now_s, q, closedness)
            verdict = self._adapter.status(now_s).verdict
            if verdict.reason != FINE:
                raise CommandRejectedError(verdict.reason, verdict.message)
        self._adapter.poll(now_s)
        return self._adapter.committed(now_s)

    def forget(self) -> None:
        """Promise nothing any more."""
        self._adapter.reset()

    def promise(self, plan: PlanResult, now_s: float) -> str:
        """Take a plan, or the next best that is not refused; returns why if none was, else ''."""
        refusal = ''
        for one in chain([plan], plan.alternatives()):
            self._plans += 1
            chunk = one.chunk.detach().to('cpu').to(torch.float64)
            command = PlanCommand(
                self._plans, now_s, one.start_s, self._period_s, chunk.position[0].numpy(),
                chunk.quaternion[0].numpy(), chunk.closedness[0].numpy(),
            )  # fmt: skip
            try:
                self._adapter.on_plan(command, now_s)
            except CommandRejectedError as error:
                refusal = refusal or str(error)
                continue
            return ''
        return refusal

    def stop(self, now_s: float) -> None:
        """Promise to come to rest."""
        self._adapter.stop(now_s)

    def states(self, now_s: float, count: int, rate_hz: float) -> tuple[Array, Array]:
        """Joint angles (count, 7), rad, and gripper commands (count,), one period apart.

        The first are due one period from now.
        """
        promised = self._adapter.committed(now_s)
        times = now_s + np.arange(1, count + 1) / rate_hz
        angles = [angles_at(promised, float(time_s)) for time_s in times]
        before = np.searchsorted(promised.times_s, times - 1e-6, side='right') - 1
        return np.stack([q for q in angles if q is not None]), promised.closedness[before]

    def _measure(self, now_s: float, q: Array, closedness: float) -> None:
        self._adapter.on_joint_state(now_s, self._names, q, np.zeros_like(q))
        self._adapter.on_gripper_state(closedness)
