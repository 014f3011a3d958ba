# SPDX-License-Identifier: Apache-2.0
"""What tasks with stages know from look to look."""

from __future__ import annotations

from dataclasses import dataclass, field

from vidplan_core.planner.tasks.folding.memory import ClothMemory
from vidplan_core.planner.tasks.pushing.memory import PushMemory


@dataclass(frozen=True)
class StageMemory:
    """What one task knows; only what its kind needs is written to.

    Attributes:
        cloth: that is to be folded.
        push: of a thing that is to be pushed.
    """

    cloth: ClothMemory = field(default_factory=ClothMemory)
    push: PushMemory = field(default_factory=PushMemory)
