# SPDX-License-Identifier: Apache-2.0
"""How far what is seen is from all that the models were trained on.

A head that is calibrated on errors has no reason to be uncertain of a new thing that stands
still and is copied well; yet nothing is known about how it would move. Here the latents
themselves are compared with a memory of training scenes, by the distance to the nearest
neighbour in whitened space (PatchCore, Roth et al., CVPR 2022): single places reveal strange
light and colours of the whole scene, neighbourhoods of a strange thing in it. How each view is
laid out, the mean of its parts and how much it varies, reveals a camera that shows nothing or
something else. What kind of thing a patch shows is known to the image tower: the embeddings of
patches are compared in the same way, where they are given.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from vidplan_core.errors import ModelError
from vidplan_core.heads.inputs import latents_of_views
from vidplan_core.models.fields import require_ranges
from vidplan_core.models.io import from_dict, load_weights, read_config, save_weights, to_dict
from vidplan_core.world_model.config import WorldModelConfig

FOLDER = 'novelty'
SIDES = (1, 3)  # of the compared squares of latents
# Of a scene: its places, its neighbourhoods, its views; with a memory of patches, its patches.
STATISTICS = 3
# Of a scene's neighbourhoods: the share that a strange thing would fill.
WORST = 0.02
WORST_PATCHES = 0.01
LIGHT_VARIES, LAYOUT_VARIES = 1.0, 2.0
# Rows and columns of the parts of a view whose means are its layout.
PARTS = (3, 4)
LEAST_VARIES = 1e-3
TOGETHER = 4096  # squares that are compared at once: bounds the memory of a large batch


@dataclass(frozen=True)
class NoveltyConfig:
    """Sizes, and what is usual.

    bank: remembered squares of every size.
    usual, spread: mean and standard deviation, over scenes like those of the training that are
        not in the memory, of the mean distance of places, of the worst neighbourhoods, of the
        strangest view's layout, and, with patches, of the worst of them.
    patches: remembered embeddings of patches; 0 for none.
    width: of an embedding.
    """

    channels: int = 8
    views: int = 3
    bank: int = 4000
    usual: tuple[float, ...] = (0.0, 0.0, 0.0)
    spread: tuple[float, ...] = (1.0, 1.0, 1.0)
    patches: int = 0
    width: int = 0

    def __post_init__(self) -> None:
        require_ranges(
            self, channels=(1, 1024), views=(1, 64), bank=(1, 1e6), spread=(1e-9, 1e6),
            patches=(0, 1e6), width=(0, 65536),
        )  # fmt: skip
        wanted = STATISTICS + bool(self.patches)
        if not len(self.usual) == len(self.spread) == wanted:
            raise ModelError(
                f'usual and spread have {wanted} numbers each, not {self.usual} and '
                f'{self.spread}; make the memory anew with `vidplan-train novelty`'
            )

    def check_fits(self, config: WorldModelConfig, channels: int, width: int) -> None:
        """Raise ModelError for a world model's latents, or embeddings, of another shape."""
        if (self.channels, self.views) != (channels, len(config.views)):
            raise ModelError(
                f'a memory of {self.views} views of {self.channels} channels does not fit a '
                f'world model of {len(config.views)} views of {channels}; make it anew with '
                '`vidplan-train novelty`'
            )
        if self.patches and self.width != width:
            raise ModelError(
                f'a memory of embeddings of {self.width} numbers does not fit a semantic scorer '
                f'that gives {width}; make it anew with `vidplan-train novelty`'
            )


class Novelty(nn.Module):
    """A memory of squares of training latents, whitened."""

    def __init__(self, config: NoveltyConfig) -> None:
        super().__init__()
        self.config = config
        for side in SIDES:
            size = config.channels * side**2
            self.register_buffer(f'mean_{side}', torch.zeros(size))
            self.register_buffer(f'whitening_{side}', torch.eye(size))
            self.register_buffer(f'bank_{side}', torch.zeros(config.bank, size))
        size = config.channels * (PARTS[0] * PARTS[1] + 1)
        self.register_buffer('mean_layout', torch.zeros(config.views, size))
        self.register_buffer('whitening_layout', torch.eye(size).repeat(config.views, 1, 1))
        if config.patches:
            self.register_buffer('bank_patches', torch.zeros(config.patches, config.width))

    @property
    def sees_patches(self) -> bool:
        """Whether it remembers how the image tower sees patches."""
        return self.config.patches > 0

    def distances(self, latents: Tensor, side: int) -> Tensor:
        """Distance of every square to the nearest remembered one.

        Args:
            latents: (batch, channels, views * rows, columns), normalised.
            side: of the squares, one of `SIDES`.

        Returns:
            (batch, views, rows - side + 1, columns - side + 1).
        """
        found = squares(latents, self.config.views, side)
        bank = self.get_buffer(f'bank_{side}')
        white = self.white(found.flatten(0, 1), side)
        nearest = [torch.cdist(part, bank).amin(1) for part in white.split(TOGETHER)]
        rows, columns = latents.shape[2] // self.config.views, latents.shape[3]
        shape = (self.config.views, rows - side + 1, columns - side + 1)
        return torch.cat(nearest).reshape(-1, *shape)

    def white(self, found: Tensor, side: int) -> Tensor:
        """Squares (..., size) with all directions of the training equally wide."""
        mean, whitening = (self.get_buffer(f'{name}_{side}') for name in ('mean', 'whitening'))
        return (found.to(mean) - mean) @ whitening

    def statistics(self, latents: Tensor, patches: Tensor | None = None) -> Tensor:
        """Mean distance of all places, of the worst neighbourhoods, of a view, (batch, 3).

        With patches, and a memory of them, the mean of the worst of them, too, (batch, 4).
        """
        small, large = (self.distances(latents, side).flatten(1) for side in SIDES)
        worst = max(1, round(WORST * large.shape[1]))
        neighbourhoods = large.topk(worst, dim=1).values.mean(1)
        found = [small.mean(1), neighbourhoods, self._layout(latents)]
        if patches is not None and self.sees_patches:
            found.append(self._strangest(patches).to(small))
        return torch.stack(found, dim=1)

    def _strangest(self, patches: Tensor) -> Tensor:
        """How far the worst of embeddings (batch, views, width, rows, columns) are, (batch,)."""
        bank = self.get_buffer('bank_patches').float()
        found = patches.float().movedim(2, -1).flatten(1, 3)
        nearest = torch.stack([torch.cdist(scene, bank).amin(1) for scene in found])
        worst = max(1, round(WORST_PATCHES * nearest.shape[1]))
        return nearest.topk(worst, dim=1).values.mean(1)

    def _layout(self, latents: Tensor) -> Tensor:
        """How far the strangest view's layout is from the usual, whitened, (batch,)."""
        mean, whitening = (self.get_buffer(f'{name}_layout') for name in ('mean', 'whitening'))
        apart = layouts(latents, self.config.views).to(mean) - mean
        return torch.einsum('bvi,vij->bvj', apart, whitening).norm(dim=-1).amax(1)

    @torch.no_grad()
    def score(self, latents: Tensor, patches: Tensor | None = None) -> Tensor:
        """How strange scenes are, (batch,), in standard deviations of usual ones.

        The strangest of the whole, its strangest parts and the layout of a view; the whole and the
        layout count from some deviations on, or they would drown what is strange in a small part.

        Args:
            latents: of the present, (batch, channels, views * rows, columns), normalised.
            patches: their embeddings by the image tower, (batch, views, width, rows, columns);
                None where nobody has looked.
        """
        found = self.statistics(latents, patches)
        known = found.shape[1]
        usual, spread = (
            found.new_tensor(v[:known]) for v in (self.config.usual, self.config.spread)
        )
        apart = (found - usual) / spread
        counts_from = apart.new_tensor([LIGHT_VARIES, 0.0, LAYOUT_VARIES, 0.0])
        return (apart - counts_from[:known]).amax(1)


def squares(latents: Tensor, views: int, side: int) -> Tensor:
    """All squares (batch, places, channels * side^2) within each view, view by view.

    Args:
        latents: (batch, channels, views * rows, columns).
        views: that are stacked.
        side: of a square.
    """
    apart = latents_of_views(latents, views).flatten(0, 1)
    found = functional.unfold(apart, side).transpose(1, 2)
    return found.unflatten(0, (-1, views)).flatten(1, 2)


def layouts(latents: Tensor, views: int) -> Tensor:
    """Means of the parts of every view, and how much it varies, (batch, views, numbers).

    Args:
        latents: (batch, channels, views * rows, columns).
        views: that are stacked.
    """
    apart = latents_of_views(latents, views).flatten(0, 1)
    means = functional.adaptive_avg_pool2d(apart, PARTS).flatten(1)
    # Logarithms: a view that shows nothing varies less than any, by far.
    varies = apart.flatten(2).std(2).add(LEAST_VARIES).log()
    found = torch.cat([means, varies], 1)
    return found.unflatten(0, (-1, views))


def save_novelty(folder: Path, novelty: Novelty) -> None:
    """Write `folder`/config.json and weights.safetensors."""
    save_weights(folder, to_dict(novelty.config), novelty.state_dict())


def load_novelty(models: Path, device: str | torch.device = 'cpu') -> Novelty:
    """Memory of a models folder; raises ModelError when it is missing or corrupt."""
    folder = models / FOLDER
    novelty = Novelty(from_dict(NoveltyConfig, read_config(folder)))
    load_weights(novelty, folder)
    return novelty.eval().to(device)
