# SPDX-License-Identifier: Apache-2.0
"""Where something is to be put, from one look to the next."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import torch
from torch import Tensor

from vidplan_core.heads.grounding import InstructionGrounding

LOOKS = 7
# Certainty from which on a place counts as seen.
SURE = 0.8


class DestinationMemory:
    """The median of the last looks.

    A hand before the destination hides a part of it, and the look is off by up to 10 cm. What
    things are put into hardly ever moves; where it does, most of the looks agree soon.
    """

    def __init__(self) -> None:
        self._looks: deque[Tensor] = deque(maxlen=LOOKS)

    def settled(self, grounding: InstructionGrounding) -> InstructionGrounding:
        """Take in the grounding of a look; the same with the destination where most looks saw it.

        Its certainty stays that of this look.
        """
        if grounding.places is None:
            return grounding
        seen = grounding.places[0, 1]
        if float(seen[3]) >= SURE:
            self._looks.append(seen[:3])
        if not self._looks:
            return grounding
        places = grounding.places.clone()
        places[0, 1, :3] = torch.stack(list(self._looks)).quantile(0.5, dim=0)
        return replace(grounding, places=places)
