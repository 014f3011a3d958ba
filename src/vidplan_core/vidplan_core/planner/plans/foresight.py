# SPDX-License-Identifier: Apache-2.0
"""What was imagined of the motion under way, and how far the next look is from it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vidplan_core.control.commands import CommittedMotion
from vidplan_core.data.action import PoseChunk
from vidplan_core.data.observation import Observation
from vidplan_core.errors import UnexpectedOutcomeError
from vidplan_core.geometry.se3 import quaternion_to_matrix
from vidplan_core.heads.anomaly.surprise import view_surprise
from vidplan_core.heads.anomaly.unexpected import Surprise
from vidplan_core.heads.uncertainty import UncertaintyHead
from vidplan_core.planner.motion.committed import chunk_ahead
from vidplan_core.planner.parts import PlannerParts
from vidplan_core.world_model.context import Context
from vidplan_core.world_model.world_model import Imagination

# A look can be compared with an imagined frame whose time and flange are so near to its own; a
# turn of the flange counts by the Frobenius norm over sqrt(2). An arm that brakes is soon further.
NEAR_S, NEAR_M, NEAR_RAD = 0.05, 0.005, 0.03


@dataclass(frozen=True, eq=False)
class ImaginedMotion:
    """What was imagined of the motion that the arm was committed to.

    Attributes:
        imagination: of one chunk, frame 0 the look that it was imagined from.
        stamp_s: of that look, s.
        period_s: between frames, s.
        last: the last frame that is still committed; then a new plan takes over.
    """

    imagination: Imagination
    stamp_s: float
    period_s: float
    last: int

    @classmethod
    @torch.no_grad()
    def imagine(
        cls, parts: PlannerParts, context: Context, chunk: PoseChunk, stamp_s: float
    ) -> ImaginedMotion:
        """Imagine a `committed_chunk` from a past that ends with the look of that stamp."""
        period_s, last = parts.world_model.config.frame_period_s, parts.config.committed_frames
        return cls(parts.imagine(context, chunk), stamp_s, period_s, last)

    def frame_of(self, seen: Observation) -> int | None:
        """The imagined frame that a look can be compared with.

        None where there is none: the look comes too late, or the arm was not where it should be.
        """
        ahead = (seen.stamp_s - self.stamp_s) / self.period_s
        frame = round(ahead)
        if not 1 <= frame <= self.last or abs(ahead - frame) * self.period_s > NEAR_S:
            return None
        chunk = self.imagination.chunk
        position = torch.as_tensor(seen.position).to(chunk.position)
        rotation = quaternion_to_matrix(torch.as_tensor(seen.quaternion)).to(chunk.rotation)
        apart_m = float((position - chunk.position[0, frame]).norm())
        turned = float((rotation - chunk.rotation[0, frame]).norm()) / 2**0.5
        return frame if apart_m <= NEAR_M and turned <= NEAR_RAD else None


def committed_chunk(
    parts: PlannerParts, context: Context, present: Observation, motion: CommittedMotion
) -> PoseChunk:
    """Poses (1, frames) of a motion from the present on, as the world model reads them."""
    model = parts.world_model.config
    chunk = chunk_ahead(motion, present.stamp_s, model.frames, model.frame_period_s)
    chunk = chunk.to(torch.float32).to(parts.device)
    chunk.closedness[:, 0] = context.poses.closedness[:, -1]  # measured, not commanded
    return chunk


@dataclass
class Foresight:
    """What a task remembers of that from one cycle to the next.

    Attributes:
        next: what the next look should show; None where nobody imagined it.
        surprises: looks in a row that were too far from what was imagined.
    """

    next: ImaginedMotion | None = None
    surprises: int = 0

    @torch.inference_mode()
    def look(self, parts: PlannerParts, seen: Observation, latents: Tensor) -> Surprise | None:
        """Compare a look with what was imagined of it.

        Args:
            parts: whose uncertainty head judges.
            seen: the look.
            latents: of it, (1, channels, rows, columns).

        Returns:
            How surprising it is; None where nothing was imagined of it.

        Raises:
            UnexpectedOutcomeError: it is too surprising, as many times in a row as configured.
        """
        imagined, self.next = self.next, None
        head = parts.heads.uncertainty_head
        if imagined is None or not isinstance(head, UncertaintyHead):
            return None
        frame = imagined.frame_of(seen)
        if frame is None:
            return None
        views, config = parts.world_model.config.views, parts.config.surprise
        nats = head.improbability(imagined.imagination, frame, latents)
        whole, part = (found[0].tolist() for found in view_surprise(nats, len(views)))
        surprise = Surprise(tuple(views), tuple(whole), tuple(part))
        problem = surprise.problem(config)
        self.surprises = self.surprises + 1 if problem else 0
        if config.stop_on_surprise and self.surprises >= config.surprising_looks:
            raise UnexpectedOutcomeError(problem)
        return surprise
