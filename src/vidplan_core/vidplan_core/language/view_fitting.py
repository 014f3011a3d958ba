# SPDX-License-Identifier: Apache-2.0
"""Views of any shape for image towers that were trained on one size of image.

Three ways, by the name that a configuration gives them:

    positions  the tower's position embeddings are resampled to the shape of the view
    tiles      tiles of the tower's own size, side by side with some overlap, then joined
    stretch    the view is squeezed into the tower's own shape
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidplan_core.errors import ModelError

FITS = ('positions', 'tiles', 'stretch')
# Aspect ratios that differ by less count as the same.
ASPECT_TOLERANCE = 0.05
# Pixels per feature of a ResNet's last stage.
RESNET_STRIDE = 32

Size = tuple[int, int]


class TowerSize:
    """The size of images that a tower takes.

    Attributes:
        own: height and width that it was trained on.
        now: those that it takes at present.
        patch: height and width of a patch, pixels; all sizes are multiples of it.
    """

    def __init__(self, tower: Any) -> None:
        """Remember a loaded tower's position embeddings."""
        self._tower = tower
        self.own = self.now = _pair(tower.image_size)
        self.patch = patch_size(tower)
        self._positions: Tensor | None = _positions(tower)

    def fits(self, view: Size) -> bool:
        """Whether a view has the aspect ratio that the tower was trained on."""
        ratio = (view[1] / view[0]) / (self.own[1] / self.own[0])
        return abs(ratio - 1.0) <= ASPECT_TOLERANCE

    def like(self, view: Size) -> Size:
        """A size of the view's shape with about as many patches as the tower was trained on."""
        if self.fits(view):
            return self.own
        scale = math.sqrt(self.own[0] * self.own[1] / (view[0] * view[1]))
        return self.whole((view[0] * scale, view[1] * scale))

    def whole(self, size: tuple[float, float]) -> Size:
        """The nearest size of whole patches."""
        rows, columns = (max(1, round(s / p)) for s, p in zip(size, self.patch, strict=True))
        return rows * self.patch[0], columns * self.patch[1]

    @torch.no_grad()
    def change(self, size: Size) -> None:
        """Let the tower take images of another size, from the embeddings that it came with.

        Raises:
            ModelError: it cannot.
        """
        if size == self.now:
            return
        if any(length % patch for length, patch in zip(size, self.patch, strict=True)):
            raise ModelError(f'images of {size} are no whole patches of {self.patch} pixels')
        _CHANGES.get(type(self._tower).__name__, _unchangeable)(self, size)
        self._tower.image_size = self.now = size

    def _change_vit(self, size: Size) -> None:
        tower, positions = self._tower, self._positions
        assert positions is not None
        grid = size[0] // self.patch[0], size[1] // self.patch[1]
        own = self.own[0] // self.patch[0], self.own[1] // self.patch[1]
        first = len(positions) - own[0] * own[1]
        resized = resample(positions[first:], own, grid)
        tower.positional_embedding = _frozen(torch.cat([positions[:first], resized]))
        tower.grid_size = grid

    def _change_timm(self, size: Size) -> None:
        trunk = self._tower.trunk
        if not hasattr(trunk, 'set_input_size'):
            raise ModelError(f'a {type(trunk).__name__} takes its own size only; fit: stretch')
        trunk.set_input_size(img_size=self.own)
        if self._positions is not None:
            trunk.pos_embed = _frozen(self._positions.clone())
        trunk.set_input_size(img_size=size)

    def _change_nothing(self, size: Size) -> None:
        """Convolutions take any size; the value path of their pool reads no positions."""


def patch_size(tower: Any) -> Size:
    """Height and width, pixels, of what one feature of a tower stands for."""
    if hasattr(tower, 'patch_size'):
        return _pair(tower.patch_size)
    embedding = getattr(getattr(tower, 'trunk', None), 'patch_embed', None)
    if embedding is not None and hasattr(embedding, 'patch_size'):
        return _pair(embedding.patch_size)
    return RESNET_STRIDE, RESNET_STRIDE


def resample(positions: Tensor, old: Size, new: Size) -> Tensor:
    """Position embeddings (rows * columns, width) of a grid, for another grid."""
    grid = positions.float().T.unflatten(1, old)[None]
    resized = F.interpolate(grid, new, mode='bicubic', antialias=True, align_corners=False)
    return resized[0].flatten(1).T.to(positions)


def tile_starts(length: int, tile: int) -> list[int]:
    """Where tiles begin that cover a length, in patches: as few as do, evenly spread."""
    count = math.ceil(length / tile)
    if count == 1:
        return [0]
    return [round(k * (length - tile) / (count - 1)) for k in range(count)]


def in_tiles(
    embed: Callable[[Tensor], Tensor], images: Tensor, tile: Size, patch: Size
) -> Tensor:
    """Unit embeddings of the patches of large images, (batch, dim, rows, columns).

    Args:
        embed: unit embeddings (batch, dim, tile rows, tile columns) of images of a tile's size.
        images: (batch, 3, height, width) of whole patches, at least a tile in size.
        tile: height and width, pixels.
        patch: height and width, pixels.
    """
    rows, columns = images.shape[-2] // patch[0], images.shape[-1] // patch[1]
    size = tile[0] // patch[0], tile[1] // patch[1]
    total: Tensor | None = None
    for top in tile_starts(rows, size[0]):
        for left in tile_starts(columns, size[1]):
            y, x = top * patch[0], left * patch[1]
            found = embed(images[..., y : y + tile[0], x : x + tile[1]])
            after = columns - left - size[1], rows - top - size[0]
            placed = F.pad(found, (left, after[0], top, after[1]))
            total = placed if total is None else total + placed
    assert total is not None
    return F.normalize(total, dim=1)


def _unchangeable(tower: TowerSize, size: Size) -> None:
    raise ModelError('this tower takes images of its own size only; use fit: stretch')


_CHANGES: dict[str, Callable[[TowerSize, Size], None]] = {
    'VisionTransformer': TowerSize._change_vit,
    'TimmModel': TowerSize._change_timm,
    'ModifiedResNet': TowerSize._change_nothing,
}


def _positions(tower: Any) -> Tensor | None:
    found = getattr(tower, 'positional_embedding', None)
    if found is None:
        found = getattr(getattr(tower, 'trunk', None), 'pos_embed', None)
    return None if found is None else found.detach().clone()


def _frozen(values: Tensor) -> nn.Parameter:
    return nn.Parameter(values, requires_grad=False)


def _pair(size: Any) -> Size:
    height, width = (size, size) if isinstance(size, int) else size
    return int(height), int(width)
