# SPDX-License-Identifier: Apache-2.0
"""Views with their rendered segmentation, cut, moved and spoiled at random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vidplan_training.data.dataset import Shard, split

RECONSTRUCTIONS = 'reconstructions'


@dataclass(frozen=True)
class ViewBatch:
    """Views and what is where in them.

    Attributes:
        images: float in [0, 1], (batch, 3, height, width).
        labels: segment index of each pixel, int64, (batch, height, width).
    """

    images: Tensor
    labels: Tensor


class SegmentedViews:
    """Random access to the views that have a segmentation.

    Args:
        shards: complete shards of recorded episodes.
        alternatives: a folder of `shard_*/reconstructions.npy`, the same views as a world model
            decodes them, uint8 (episodes, segmentation frames, views, height, width, 3).
    """

    def __init__(self, shards: Sequence[Shard], alternatives: Path | None = None) -> None:
        self._shards = [shard for shard in shards if shard.meta['segmentation_frames']]
        if not self._shards:
            raise ValueError('no shard has a segmentation; collect with segmentation frames')
        self.names: tuple[str, ...] = tuple(self._shards[0].meta['segment_names'])
        self._images = [shard.array('images') for shard in self._shards]
        self._labels = [shard.array('segmentation') for shard in self._shards]
        self._alternatives = [_alternative(shard, alternatives) for shard in self._shards]

    @property
    def views(self) -> int:
        """Number of views per frame."""
        return int(self._labels[0].shape[2])

    def frames(self) -> list[tuple[int, int, int]]:
        """Return (shard, episode, segmented frame) of every segmented moment, in order."""
        return [
            (i, episode, frame)
            for i, labels in enumerate(self._labels)
            for episode in range(labels.shape[0])
            for frame in range(labels.shape[1])
        ]

    def scene(self, index: tuple[int, int, int], alternative: bool = False) -> ViewBatch:
        """Return all views of one moment, `alternative` as a world model decodes them."""
        views = [self._view(*index, view, alternative) for view in range(self.views)]
        return _to_batch(views)

    def sample(self, rng: np.random.Generator, count: int, mix: float = 0.0) -> ViewBatch:
        """Return random views; a share `mix` of them as a world model decodes them."""
        picked = []
        for _ in range(count):
            shard = int(rng.integers(len(self._shards)))
            episode, frame, view = (int(rng.integers(n)) for n in self._labels[shard].shape[:3])
            picked.append(self._view(shard, episode, frame, view, rng.random() < mix))
        return _to_batch(picked)

    def has_alternatives(self) -> bool:
        """Whether decoded versions of the views are at hand."""
        return any(array is not None for array in self._alternatives)

    def _view(
        self, shard: int, episode: int, frame: int, view: int, alternative: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        labels = self._labels[shard][episode, frame, view]
        decoded = self._alternatives[shard]
        if alternative and decoded is not None:
            return decoded[episode, frame, view], labels
        time = self._shards[shard].meta['segmentation_frames'][frame]
        return self._images[shard][episode, time, view], labels


def training_views(data: Path, alternatives: Path | None = None) -> SegmentedViews:
    """Return the views to train on; never one of the held-out shards, however few there are."""
    held_out = {shard.folder for shard in split(data, True)}
    kept = [shard for shard in split(data, False) if shard.folder not in held_out]
    if not kept:
        raise ValueError(f'{data} has a single shard; training and held-out data need two')
    return SegmentedViews(kept, alternatives)


def held_out_views(data: Path, alternatives: Path | None = None) -> SegmentedViews:
    """Return the views of the held-out shards."""
    return SegmentedViews(split(data, True), alternatives)


def coverage(labels: Tensor, segments: int, patch: int) -> Tensor:
    """Return which fraction of each patch each segment covers, (batch, patches, segments)."""
    batch, height, width = labels.shape
    grid = labels.view(batch, height // patch, patch, width // patch, patch)
    pixels = grid.permute(0, 1, 3, 2, 4).reshape(batch, -1, patch * patch)
    counts = torch.zeros(*pixels.shape[:2], segments)
    return counts.scatter_add_(2, pixels, torch.ones(()).expand(pixels.shape)) / patch**2


def augment(batch: ViewBatch, rng: np.random.Generator) -> ViewBatch:
    """Cut, mirror, turn and spoil the views, as other cameras and world models would."""
    images, labels = _move(batch, rng)
    images = _recolour(images, rng)
    images = _soften(images, rng)
    noise = torch.from_numpy(rng.standard_normal(images.shape, dtype=np.float32))
    strength = torch.from_numpy(rng.uniform(0.0, 0.04, (len(images), 1, 1, 1)).astype(np.float32))
    return ViewBatch((images + noise * strength).clamp(0.0, 1.0), labels)


def _move(batch: ViewBatch, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Show a random window of each view, at a random scale, mirrored half of the time."""
    count = len(batch.images)
    size = np.where(
        rng.random(count) < 0.5, rng.uniform(0.9, 1.1, count), rng.uniform(0.45, 1.0, count)
    )
    angle = rng.normal(0.0, 0.05, count)
    mirror = np.where(rng.random(count) < 0.5, -1.0, 1.0)
    reach = np.abs(1.0 - size) + 0.05
    aspect = batch.images.shape[-2] / batch.images.shape[-1]
    theta = np.zeros((count, 2, 3), np.float32)
    theta[:, 0, 0], theta[:, 1, 1] = size * mirror * np.cos(angle), size * np.cos(angle)
    theta[:, 0, 1], theta[:, 1, 0] = -size * np.sin(angle) * aspect, size * np.sin(angle) / aspect
    theta[:, :, 2] = rng.uniform(-1.0, 1.0, (count, 2)) * reach[:, None]
    grid = F.affine_grid(torch.from_numpy(theta), list(batch.images.shape), align_corners=False)
    images = F.grid_sample(batch.images, grid, padding_mode='border', align_corners=False)
    labels = F.grid_sample(
        batch.labels[:, None].float(),
        grid,
        mode='nearest',
        padding_mode='border',
        align_corners=False,
    )
    return images, labels[:, 0].round().long()


def _recolour(images: Tensor, rng: np.random.Generator) -> Tensor:
    count = len(images)
    gain = torch.from_numpy(
        (
            rng.uniform(0.8, 1.2, (count, 1, 1, 1)) * rng.uniform(0.93, 1.07, (count, 3, 1, 1))
        ).astype(np.float32)
    )
    contrast, saturation = (
        torch.from_numpy(rng.uniform(low, high, (count, 1, 1, 1)).astype(np.float32))
        for low, high in ((0.75, 1.2), (0.7, 1.25))
    )
    images = images * gain
    images = torch.lerp(images.mean(dim=1, keepdim=True), images, saturation)
    return torch.lerp(images.mean(dim=(1, 2, 3), keepdim=True), images, contrast)


def _soften(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Blur half of the views, each third of those at its own strength, some by resampling."""
    order = rng.permutation(len(images))
    softened = images.clone()
    for part in np.array_split(order[: len(order) // 2], 3):
        if len(part) == 0:
            continue
        chosen = torch.from_numpy(part)
        if rng.random() < 0.4:
            softened[chosen] = _resampled(images[chosen], float(rng.uniform(0.3, 0.8)))
        else:
            softened[chosen] = _blurred(images[chosen], float(rng.uniform(0.4, 1.8)))
    return softened


def _resampled(images: Tensor, factor: float) -> Tensor:
    small = F.interpolate(images, scale_factor=factor, mode='bilinear', antialias=True)
    return F.interpolate(small, images.shape[-2:], mode='bilinear')


def _blurred(images: Tensor, sigma: float) -> Tensor:
    radius = max(1, int(2 * sigma + 0.5))
    taps = torch.exp(-(torch.arange(-radius, radius + 1).float() ** 2) / (2 * sigma**2))
    taps = (taps / taps.sum()).repeat(3, 1)
    padded = F.pad(images, (radius,) * 4, mode='replicate')
    rows = F.conv2d(padded, taps[:, None, None, :], groups=3)
    return F.conv2d(rows, taps[:, None, :, None], groups=3)


def _alternative(shard: Shard, folder: Path | None) -> np.ndarray | None:
    if folder is None:
        return None
    path = folder / shard.folder.name / f'{RECONSTRUCTIONS}.npy'
    return np.load(path, mmap_mode='r') if path.is_file() else None


def _to_batch(views: Sequence[tuple[np.ndarray, np.ndarray]]) -> ViewBatch:
    images = torch.from_numpy(np.stack([image for image, _ in views]))
    labels = torch.from_numpy(np.stack([label for _, label in views]).astype(np.int64))
    return ViewBatch(images.permute(0, 3, 1, 2).float() / 255.0, labels)
