# SPDX-License-Identifier: Apache-2.0
"""What the heads say about an imagination: how sure it is, and what it is worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from vidplan_core.reward.conformal import LowerBound
from vidplan_core.world_model.world_model import Imagination


class UncertaintyHead(Protocol):
    """Judges how far off imagined latents may be."""

    def uncertainty(self, imagination: Imagination) -> Tensor:
        """In [0, 1], shaped like the imagined latents; differentiable in them."""
        ...


class ValueHead(Protocol):
    """Judges how near to success imagined frames are."""

    def value(self, imagination: Imagination, instruction: str) -> Tensor:
        """Expected value in [0, 1], (candidates, frames); differentiable in the latents."""
        ...


@dataclass(frozen=True)
class Judgement:
    """Of imagined frames.

    Attributes:
        uncertainty: (candidates, frames, channels, rows, columns) in [0, 1], None if unknown.
        value: expected value in [0, 1], (candidates, frames), None if unknown.
    """

    uncertainty: Tensor | None = None
    value: Tensor | None = None

    def at(self, frames: list[int]) -> Judgement:
        """The judgement of some of the frames."""
        return Judgement(
            None if self.uncertainty is None else self.uncertainty[:, frames],
            None if self.value is None else self.value[:, frames],
        )


@dataclass(frozen=True)
class Judge:
    """The heads that a planner asks; any of them may be absent.

    Attributes:
        uncertainty_head: None where imaginations are taken as they are.
        value_head: None where only the semantic reward counts.
        bound: turns expected values into values that are reached with known probability.
    """

    uncertainty_head: UncertaintyHead | None = None
    value_head: ValueHead | None = None
    bound: LowerBound | None = None

    def __bool__(self) -> bool:
        """Whether there is any head to ask."""
        return self.uncertainty_head is not None or self.value_head is not None

    def judge(self, imagination: Imagination, instruction: str) -> Judgement:
        """Ask every head once for all candidates."""
        uncertainty = value = None
        if self.uncertainty_head is not None:
            uncertainty = self.uncertainty_head.uncertainty(imagination)
        if self.value_head is not None:
            value = self.value_head.value(imagination, instruction)
            value = value if self.bound is None else self.bound.of(value)
        return Judgement(uncertainty, value)
