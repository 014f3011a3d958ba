# SPDX-License-Identifier: Apache-2.0
"""What an expert is asked to do, and what it decides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Verbs, spelled as the instruction grammar spells them.
REACH, PICK, PLACE, PUSH = 'reach', 'pick', 'place', 'push'
VERBS = (REACH, PICK, PLACE)


@dataclass(frozen=True)
class PickPlaceTask:
    """What shall be done: a verb, the target's kind."""

    verb: str
    target: str


@dataclass(frozen=True)
class Decision:
    """Displacement (3,) m of the tool over a chunk, turn about the vertical, gripper."""

    displacement: np.ndarray
    turn_rad: float
    closedness: float
