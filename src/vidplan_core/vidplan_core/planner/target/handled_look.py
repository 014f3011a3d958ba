# SPDX-License-Identifier: Apache-2.0
"""What a look says of a thing that is handled."""

from __future__ import annotations

from dataclasses import dataclass

from vidplan_core.heads.detectors.grasp.network import Grasps
from vidplan_core.heads.grounding import InstructionGrounding


@dataclass(frozen=True)
class HandledLook:
    """One look at a scene in which something is handled.

    Attributes:
        grounding: of the instruction where the plan starts.
        success: probability in [0, 1] that it is fulfilled; None where nobody sees it.
        grasp: of the target; None where nobody knows, or the hand is closed.
        blocked: headings of the hand, rad, with which it pressed on something beside the target.
        near: whether the hand is so near to the grasp that it was on its way to it.
    """

    grounding: InstructionGrounding
    success: float | None
    grasp: Grasps | None
    blocked: tuple[float, ...] = ()
    near: bool = False
