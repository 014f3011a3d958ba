# SPDX-License-Identifier: Apache-2.0
"""Where something is to be put, from one look to the next."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from vidplan_core.heads.grounding import InstructionGrounding

LOOKS = 5
# A hand so near to it, in the plane of the table, may stand before it, m.
BESIDE_M = 0.20
# Certainty from which on a place counts as seen.
SURE = 0.8


class DestinationMemory:
    """The median of the last looks from where the hand is not beside it.

    A hand before the destination hides a part of it, and the look is off by up to 10 cm. While
    there are not enough others, looks from where the hand was farthest count. What things are put
    into hardly ever moves; where it does, most of the looks agree soon.
    """

    def __init__(self) -> None:
        self._looks: list[tuple[float, Tensor]] = []  # distance of the hand, m, and the place

    def settled(self, grounding: InstructionGrounding, tool: Tensor) -> InstructionGrounding:
        """Take in the grounding of a look; the same with the destination where most looks saw it.

        Its certainty stays that of this look.

        Args:
            grounding: of one scene.
            tool: tool centre point (3,) of when it was seen, base frame, m.
        """
        if grounding.places is None:
            return grounding
        seen = grounding.places[0, 1]
        if float(seen[3]) >= SURE:
            known = seen[:3] if self._place is None else self._place
            apart = float((tool.to(known) - known)[:2].norm())
            # The newest come first among those that count the same.
            self._looks.insert(0, (min(apart, BESIDE_M), seen[:3]))
            self._looks = sorted(self._looks, key=lambda look: -look[0])[:LOOKS]
        place = self._place
        if place is None:
            return grounding
        places = grounding.places.clone()
        places[0, 1, :3] = place
        return replace(grounding, places=places)

    @property
    def _place(self) -> Tensor | None:
        if not self._looks:
            return None
        return torch.stack([place for _, place in self._looks]).quantile(0.5, dim=0)
