# SPDX-License-Identifier: Apache-2.0
"""Where something is to be put, from one look to the next."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import torch
from torch import Tensor

from vidplan_core.heads.grounding import InstructionGrounding

LOOKS, FARTHEST = 7, 3
# A hand so near to it, in the plane of the table, may stand before it, m.
BESIDE_M = 0.20
# Certainty from which on a place counts as seen.
SURE = 0.8


class DestinationMemory:
    """The median of the last looks from where the hand is not beside it.

    Without any it is that of the looks from where the hand was farthest.

    A hand before the destination hides a part of it, and the look is off by up to 10 cm. What
    things are put into hardly ever moves; where it does, most of the looks agree soon.
    """

    def __init__(self) -> None:
        self._clear: deque[Tensor] = deque(maxlen=LOOKS)
        self._beside: list[tuple[float, Tensor]] = []

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
            apart = float((tool.to(seen) - seen[:3])[:2].norm())
            self._take(seen[:3], apart)
        looks = list(self._clear) or [place for _, place in self._beside]
        if not looks:
            return grounding
        places = grounding.places.clone()
        places[0, 1, :3] = torch.stack(looks).quantile(0.5, dim=0)
        return replace(grounding, places=places)

    def _take(self, place: Tensor, apart: float) -> None:
        if apart >= BESIDE_M:
            self._clear.append(place)
            return
        self._beside.append((apart, place))
        self._beside = sorted(self._beside, key=lambda look: -look[0])[:FARTHEST]
