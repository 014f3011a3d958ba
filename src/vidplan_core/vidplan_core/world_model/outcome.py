# SPDX-License-Identifier: Apache-2.0
"""What a motion comes to, read from imagined frames: measured closedness, held, contact.

The action holds what the gripper is commanded; whether something is between the fingers by then
is for the world model to foresee, and here it says so in numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from vidplan_core.data.action import PoseChunk
from vidplan_core.models.fields import require_ranges

FOLDER = 'outcome'
NUMBERS = 3  # per frame
GROUPS = 8


@dataclass(frozen=True)
class OutcomeConfig:
    """Sizes: latent channels, rows and columns, new frames, and numbers per action token.

    `held_scale` and `held_shift` turn the logit of `held` into one whose probabilities come true
    after a closing and a lift; heads read what they were trained on, which is without them.
    """

    channels: int = 8
    rows: int = 36
    columns: int = 20
    frames: int = 4
    features: int = 17
    widths: tuple[int, ...] = (48, 64, 96)
    embedding: int = 96
    pools: int = 6
    held_scale: float = 1.0
    held_shift: float = 0.0

    def __post_init__(self) -> None:
        require_ranges(
            self, channels=(1, 1024), rows=(1, 8192), columns=(1, 8192), frames=(1, 1024),
            features=(1, 16384), widths=(1, 16384), embedding=(1, 16384), pools=(1, 1024),
            held_scale=(1e-3, 1e3), held_shift=(-1e3, 1e3),
        )  # fmt: skip


@dataclass(frozen=True)
class MotionOutcome:
    """What new frames are expected to measure, each (batch, frames).

    closedness: measured by the gripper, 0 open .. 1 closed.
    held, contact: logits of something being between the fingers, and of being touched.
    """

    closedness: Tensor
    held: Tensor
    contact: Tensor

    @property
    def numbers(self) -> Tensor:
        """Closedness and both probabilities, (batch, frames, 3), as heads read them."""
        return torch.stack([self.closedness, self.held.sigmoid(), self.contact.sigmoid()], -1)

    def measured(self, chunk: PoseChunk) -> PoseChunk:
        """A commanded chunk with the closedness that its new frames are expected to measure.

        Once they are past, these frames say what was measured and no longer what was commanded.
        """
        closedness = torch.cat([chunk.closedness[:, :1], self.closedness.to(chunk.closedness)], 1)
        return replace(chunk, closedness=closedness)


class OutcomeReadout(nn.Module):
    """A small network over each new frame, the present, and all actions of the chunk."""

    def __init__(self, config: OutcomeConfig) -> None:
        super().__init__()
        self.config = config
        first, middle, last = config.widths
        width = config.embedding
        self.position = nn.Parameter(0.1 * torch.randn(1, 4, config.rows, config.columns))
        self.actions = nn.Sequential(
            nn.Linear((config.frames + 1) * config.features, width), nn.SiLU()
        )
        self.action = nn.Linear(config.features, width)
        self.frame = nn.Parameter(0.02 * torch.randn(config.frames, width))
        self.mix = nn.Sequential(nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.stem = nn.Conv2d(2 * config.channels + 4, first, 3, padding=1)
        self.down = nn.Conv2d(first, middle, 3, stride=2, padding=1)
        self.norms = nn.ModuleList(nn.GroupNorm(GROUPS, n) for n in (middle, middle, last))
        self.film = nn.Linear(width, 2 * middle)
        self.between = nn.Conv2d(middle, middle, 3, padding=1)
        self.deep = nn.Conv2d(middle, last, 3, padding=1)
        self.where = nn.Conv2d(last + 4, config.pools, 1)
        self.out = nn.Sequential(
            nn.Linear((config.pools + 1) * last + width, 128), nn.SiLU(), nn.Linear(128, NUMBERS)
        )

    def forward(self, latents: Tensor, present: Tensor, tokens: Tensor) -> MotionOutcome:
        """Read new frames.

        Args:
            latents: of the new frames, (batch, frames, channels, rows, columns), normalised.
            present: latent of the present, (batch, channels, rows, columns).
            tokens: of the present and the new frames, (batch, 1 + frames, features).
        """
        batch, frames = latents.shape[:2]
        embedding = self.actions(tokens.flatten(1))[:, None] + self.action(tokens[:, 1:])
        embedding = self.mix(embedding + self.frame).flatten(0, 1)
        change = latents - present[:, None]
        position = self.position.expand(batch * frames, -1, -1, -1)
        picture = torch.cat([latents, change], dim=2).flatten(0, 1)
        features = self._features(torch.cat([picture, position.to(picture)], 1), embedding)
        raw = self.out(torch.cat([self._pooled(features), embedding], 1)).float()
        closedness, held, contact = raw.unflatten(0, (batch, frames)).unbind(-1)
        return MotionOutcome(closedness.sigmoid(), held, contact)

    def held_probability(self, logit: Tensor) -> Tensor:
        """How often something is between the fingers where `held` has this logit, in [0, 1]."""
        return (self.config.held_scale * logit + self.config.held_shift).sigmoid()

    def _features(self, picture: Tensor, embedding: Tensor) -> Tensor:
        x = functional.silu(self.norms[0](self.down(functional.silu(self.stem(picture)))))
        scale, shift = self.film(embedding)[..., None, None].chunk(2, dim=1)
        inner = self.norms[1](self.between(x)) * (1.0 + scale) + shift
        return functional.silu(self.norms[2](self.deep(x + functional.silu(inner))))

    def _pooled(self, features: Tensor) -> Tensor:
        """Means over places that are looked at, and over all, (batch, (pools + 1) * width)."""
        place = functional.interpolate(self.position, features.shape[-2:], mode='area')
        place = place.expand(len(features), -1, -1, -1).to(features)
        looked = self.where(torch.cat([features, place], 1)).flatten(2).softmax(-1)
        pooled = torch.einsum('bpn,bcn->bpc', looked, features.flatten(2)).flatten(1)
        return torch.cat([pooled, features.mean(dim=(2, 3))], 1)
