# SPDX-License-Identifier: Apache-2.0
"""Whether the fingers are still on their way to what they were commanded."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vidplan_core.planner.dynamics import GRIPPER_SPEED

# Commands that differ by less than this are the same.
SAME = 0.3
TRAVEL_S = 1.0 / GRIPPER_SPEED


@dataclass
class GripperCourse:
    """When the command changed last; what fingers measure cannot say it: they may hold something.

    Attributes:
        commanded: closedness where the last plan began; None before the first.
        changed_s: time at which the command changed last, s.
        began_s: time at which the last plan began, s.
    """

    commanded: float | None = None
    changed_s: float = -math.inf
    began_s: float = -math.inf

    def travelling(self, commanded: float, begins_s: float) -> bool:
        """Whether fingers are still on their way where a plan begins.

        Args:
            commanded: closedness there.
            begins_s: when the plan begins, s.
        """
        if self.commanded is not None and abs(commanded - self.commanded) > SAME:
            self.changed_s = self.began_s  # the plan before it said so from its beginning
        self.commanded, self.began_s = commanded, begins_s
        return begins_s - self.changed_s < TRAVEL_S
