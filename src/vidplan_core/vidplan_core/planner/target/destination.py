# SPDX-License-Identifier: Apache-2.0
"""Where something is to be put, from one look to the next."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from vidplan_core.heads.grounding import InstructionGrounding

LOOKS = 5
# Certainty from which on a place counts as seen.
SURE = 0.8
# A hand lower than this hides more of it: half of such looks are off by 3 cm, else by 1 cm; from
# right above it, so near in the plane of the table, nine of ten are within 2 cm.
HIGH_M, ABOVE_M = 0.12, 0.15
# So many looks later a look from high up counts as a new one from low down, and so on.
OLDER = 10


class DestinationMemory:
    """The median of the best and newest looks.

    A hand before the destination hides a part of it, and the look is off by up to 10 cm. What
    things are put into hardly ever moves; where it does, most of the looks agree soon.
    """

    def __init__(self) -> None:
        self._count = 0
        self._looks: list[tuple[int, Tensor]] = []  # how much one counts, and the place

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
            self._take(seen[:3], tool.to(seen))
        if not self._looks:
            return grounding
        places = grounding.places.clone()
        places[0, 1, :3] = torch.stack([place for _, place in self._looks]).quantile(0.5, dim=0)
        return replace(grounding, places=places)

    def _take(self, place: Tensor, tool: Tensor) -> None:
        """Keep the looks that count most, newer ones first."""
        high = bool(tool[2] >= HIGH_M)
        above = high and float((tool - place)[:2].norm()) < ABOVE_M
        self._count += 1
        self._looks.append((self._count + OLDER * (high + above), place))
        self._looks = sorted(self._looks, key=lambda look: -look[0])[:LOOKS]
