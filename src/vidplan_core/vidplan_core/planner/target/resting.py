# SPDX-License-Identifier: Apache-2.0
"""Where the target lies while the hand that comes to take it hides a part of it."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import torch
from torch import Tensor

from vidplan_core.heads.grounding import InstructionGrounding
from vidplan_core.planner.target.destination import SURE

LOOKS = 5
# A hand so near to a thing, m, hides a part of it: what is left of it lies aside, by 1 to 6 cm.
NEAR_M = 0.06
# Two looks in a row that see it so far away, m, in the plane of the table say that it has moved.
MOVED_M, MOVED_LOOKS = 0.05, 2


class RestingTarget:
    """The median of the last looks from where the hand was not near.

    It counts until the gripper is commanded to close: from then on the thing may be anywhere.
    """

    def __init__(self) -> None:
        self._looks: deque[Tensor] = deque(maxlen=LOOKS)
        self._away = 0

    def settled(
        self, grounding: InstructionGrounding, tool: Tensor, grip: float, *, clear: bool = False
    ) -> InstructionGrounding:
        """Take in the grounding of a look; the same with the target where it was seen to lie.

        Its certainty stays that of this look.

        Args:
            grounding: of one scene.
            tool: tool centre point (3,) of when it was seen, base frame, m.
            grip: closedness that is commanded.
            clear: whether it is seen as clearly as if the hand were not near.
        """
        if grounding.places is None:
            return grounding
        if grip > 0.5:
            self._looks.clear()
            return grounding
        seen = grounding.places[0, 0]
        known = self._known()
        near = float((tool.to(seen) - (seen[:3] if known is None else known)).norm()) < NEAR_M
        near = near and not clear
        if known is not None and self._has_moved(seen, known):
            self._looks.clear()
            known = None
        if not near and float(seen[3]) >= SURE:
            self._looks.append(seen[:3])
        if known is None or not near:
            return grounding
        places = grounding.places.clone()
        places[0, 0, :3] = known
        return replace(grounding, places=places)

    def _known(self) -> Tensor | None:
        return torch.stack(list(self._looks)).quantile(0.5, dim=0) if self._looks else None

    def _has_moved(self, seen: Tensor, known: Tensor) -> bool:
        away = float((seen[:2] - known[:2]).norm()) > MOVED_M and float(seen[3]) >= SURE
        self._away = self._away + 1 if away else 0
        return self._away >= MOVED_LOOKS
