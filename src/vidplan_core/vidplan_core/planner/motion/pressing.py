# SPDX-License-Identifier: Apache-2.0
"""Whether the hand presses on something: the arm is not where it was sent."""

from __future__ import annotations

from vidplan_core.control.commands import CommittedMotion
from vidplan_core.control.joint_monitor import behind
from vidplan_core.data.observation import Observation
from vidplan_core.planner.motion.committed import angles_before

# A joint of a free arm is behind by some thousandths of this, rad.
PRESSED_RAD = 0.03


def presses(committed: CommittedMotion | None, present: Observation) -> bool:
    """Whether a joint is farther from where it was sent than a free arm's ever is.

    Args:
        committed: what the arm was sent to do; None where nobody knows.
        present: with the measured angles.
    """
    sent = None if committed is None else angles_before(committed, present.stamp_s)
    return sent is not None and behind(sent, present.q) > PRESSED_RAD
