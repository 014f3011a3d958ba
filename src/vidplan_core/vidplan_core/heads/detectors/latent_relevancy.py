# SPDX-License-Identifier: Apache-2.0
"""Where a phrase is, read from latents as they are: what is scored so need not be decoded.

It learns to say of a view's latents what the semantic tower says of its decoded picture, one
embedding per patch. Phrases are compared with these as with the tower's, so that it takes any.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from vidplan_core.errors import ModelError
from vidplan_core.heads.inputs import latents_of_views
from vidplan_core.heads.network import GROUPS
from vidplan_core.heads.value import reads_as
from vidplan_core.language.semantic import SemanticScorer
from vidplan_core.models.fields import require_ranges
from vidplan_core.models.io import from_dict, load_weights, read_config, save_weights, to_dict

FOLDER = 'relevancy'

# Of normalised latents (batch, channels, rows, columns) of all views, one below the other, the
# numbers of views that are read, all where none is named, and a phrase: maps in [0, 1], (batch,
# views, rows, columns).
LatentReader = Callable[[Tensor, Sequence[int], str], Tensor]


@dataclass(frozen=True)
class LatentRelevancyConfig:
    """Sizes of a head that reads latents.

    Attributes:
        channels: of the latents.
        rows, columns: of the tower's maps of a view.
        width: of the convolutions.
        blocks: how many, each looking twice as far as the one before.
        embedding: of the tower.
        text_probe: of the scorer that it was distilled from.
    """

    channels: int = 8
    rows: int = 12
    columns: int = 20
    width: int = 64
    blocks: int = 3
    embedding: int = 128
    text_probe: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        require_ranges(
            self, channels=(1, 1024), rows=(1, 4096), columns=(1, 4096), width=(1, 4096),
            blocks=(1, 8), embedding=(1, 16384),
        )  # fmt: skip
        if self.width % GROUPS:
            raise ModelError(f'width must be a multiple of {GROUPS}, not {self.width}')

    def check_fits(self, channels: int, scorer: SemanticScorer) -> None:
        """Raise ModelError for other latents or another scorer."""
        if channels != self.channels or not reads_as(scorer, self.text_probe):
            raise ModelError(
                f'the relevancy head reads latents of {self.channels} channels for the scorer '
                'that it was distilled from; distil it again with `vidplan-train relevancy-head`'
            )


class LatentRelevancy(nn.Module):
    """Embeddings of patches from latents of a view."""

    def __init__(self, config: LatentRelevancyConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.stem = nn.Conv2d(config.channels, width, 3, padding=1)
        self.blocks = nn.ModuleList(_block(width, 2**number) for number in range(config.blocks))
        self.last = nn.Sequential(
            nn.GroupNorm(GROUPS, width), nn.SiLU(), nn.Conv2d(width, config.embedding, 1)
        )

    def forward(self, latents: Tensor) -> Tensor:
        """Unit embeddings (batch, dim, rows, columns) of a view (batch, channels, ...)."""
        features = self.stem(latents)
        for block in self.blocks:
            features = features + block(features)
        size = (self.config.rows, self.config.columns)
        if features.shape[-2:] != size:
            features = functional.interpolate(features, size, mode='bilinear', antialias=True)
        return functional.normalize(self.last(features), dim=1)

    def read_for(self, scorer: SemanticScorer, views: int) -> LatentReader:
        """The same as maps of phrases, for latents of so many views."""

        def read(latents: Tensor, chosen: Sequence[int], phrase: str) -> Tensor:
            apart = latents_of_views(latents, views)
            apart = apart[:, list(chosen)] if chosen else apart
            dense = self(apart.flatten(0, 1).to(self.stem.weight.dtype))
            return scorer.compare(dense, [phrase])[:, 0].unflatten(0, apart.shape[:2])

        return read


def _block(width: int, apart: int) -> nn.Sequential:
    return nn.Sequential(
        nn.GroupNorm(GROUPS, width), nn.SiLU(),
        nn.Conv2d(width, width, 3, padding=apart, dilation=apart),
    )  # fmt: skip


def save_latent_relevancy(folder: Path, head: LatentRelevancy) -> None:
    """Write `folder`/config.json and weights.safetensors."""
    save_weights(folder, to_dict(head.config), head.state_dict())


def load_latent_relevancy(models: Path, device: str | torch.device = 'cpu') -> LatentRelevancy:
    """The head of a models folder, frozen; raises ModelError when missing or corrupt."""
    folder = models / FOLDER
    head = LatentRelevancy(from_dict(LatentRelevancyConfig, read_config(folder)))
    load_weights(head, folder)
    return head.eval().requires_grad_(False).to(device)
