# SPDX-License-Identifier: Apache-2.0
"""What the action adapter reports."""

from __future__ import annotations

from dataclasses import dataclass

from vidplan_core.control.commands import TrajectoryCommand
from vidplan_core.control.watchdog import Verdict


@dataclass(frozen=True)
class AdapterState:
    """What the adapter is doing, for status messages.

    Attributes:
        plan_id: of the plan being followed, 0 when none.
        moving: whether the last trajectory has not ended yet.
        stopping: whether it is a stop or hold instead of a plan.
        rest_in_s: time until the arm rests, 0 when it does.
        time_ratio: time that the last plan takes over the time that it was given: 1 when the arm
            does in time what was imagined, and before the first plan.
        verdict: the watchdog's.
        rejection: the last plan's rejection, 'REASON: message', empty when it was accepted.
    """

    plan_id: int
    moving: bool
    stopping: bool
    rest_in_s: float
    time_ratio: float
    verdict: Verdict
    rejection: str


@dataclass(frozen=True)
class AdapterOutput:
    """What is due now, if anything.

    Attributes:
        trajectory: a stop that the watchdog demands, or a hold where somebody moved the arm to.
        closedness: what the gripper is to be commanded, 0 open .. 1 closed.
    """

    trajectory: TrajectoryCommand | None = None
    closedness: float | None = None
