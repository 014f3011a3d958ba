# SPDX-License-Identifier: Apache-2.0
"""Bringing the arm to rest, and seeing that it is."""

from __future__ import annotations

import math
import time

from vidplan.tasks.arm import Arm
from vidplan.tasks.observation_feed import WakeEvent
from vidplan.tasks.task import Timing

_TICK_S = 0.05
# How often a braking arm is asked again: a plan under way may reach the adapter after the stop.
_STOP_AGAIN_S = 0.25


def come_to_rest(arm: Arm, wake: WakeEvent, timing: Timing) -> str:
    """Ask the adapter to brake and wait until the arm has been at rest for `rest_hold_s`.

    Returns:
        What went wrong, '' if nothing did.
    """
    asked_s = time.monotonic()
    deadline_s = asked_s + timing.max_rest_s
    resting_since_s = ask_again_s = math.inf
    arm.stop()
    while (now_s := time.monotonic()) < deadline_s:
        report = arm.report()
        if report is None or not report.at_rest or report.heard_s <= asked_s:
            resting_since_s = math.inf
            ask_again_s = min(ask_again_s, now_s + _STOP_AGAIN_S)
        else:
            resting_since_s = min(resting_since_s, now_s)
            ask_again_s = math.inf
        if now_s - resting_since_s >= timing.rest_hold_s:
            return ''
        if now_s >= ask_again_s:
            arm.stop()
            ask_again_s = math.inf
        wake.wait(_TICK_S)
    return (
        f'the adapter did not report rest within {timing.max_rest_s:.1f} s; '
        'its trajectories end at rest by themselves'
    )
