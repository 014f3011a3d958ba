# SPDX-License-Identifier: Apache-2.0
"""How true the world model's imagination is, for motions that were really executed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.data.observation import Observation
from vidplan_core.geometry.se3 import quaternion_to_matrix
from vidplan_core.metrics.images import moving_psnr, psnr
from vidplan_core.world_model.sampling.sampler import SamplingConfig
from vidplan_core.world_model.world_model import WorldModel
from vidplan_eval.viz.imagination import MOTION_M

BATCH = 8


@dataclass(frozen=True, eq=False)
class ObservationWindow:
    """A stretch of observations without gaps: the past, the present, and what then happened.

    Attributes:
        index: of the present among the observations.
        past: as many as the world model's history, the present last.
        future: frames of a chunk, the present first.
    """

    index: int
    past: list[Observation]
    future: list[Observation]


def windows(
    observations: Sequence[Observation],
    history: int,
    frames: int,
    period_s: float,
    ages: Sequence[int] = (),
) -> list[ObservationWindow]:
    """Return every window whose observations follow each other at the model's period.

    With `ages`, the model's own, its past lies that many frames back, or is the first
    observation; only its future must be whole then.
    """
    stamps = np.array([seen.stamp_s for seen in observations])
    joined = np.abs(np.diff(stamps) - period_s) <= 0.5 * period_s
    found = []
    back = tuple(ages) or tuple(range(history - 1, -1, -1))
    before = 0 if ages else history - 1
    for index in range(before, len(observations) - frames + 1):
        if joined[index - before : index + frames - 1].all():
            past = [observations[max(index - age, 0)] for age in back]
            future = list(observations[index : index + frames])
            found.append(ObservationWindow(index, past, future))
    return found


def moves(window: ObservationWindow) -> bool:
    """Return whether the flange goes anywhere in what then happened."""
    start = window.future[0].position
    return any(np.linalg.norm(seen.position - start) > MOTION_M for seen in window.future)


@dataclass(frozen=True, eq=False)
class Fidelity:
    """Measured against what was seen, all in dB; windows x steps x views, step 1 first.

    Attributes:
        imagined: PSNR of the imagined frames.
        copied: PSNR of the present frame, copied.
        reconstructed: PSNR of the autoencoder's picture of the frame itself: the ceiling.
        moving: PSNR of the imagined frames where the view changed; NaN where nothing did.
        moving_copied: the same of the present frame.
    """

    imagined: np.ndarray
    copied: np.ndarray
    reconstructed: np.ndarray
    moving: np.ndarray
    moving_copied: np.ndarray

    def of(self, chosen: np.ndarray) -> Fidelity:
        """Return the windows for which `chosen` (windows,) is true."""
        values = (self.imagined, self.copied, self.reconstructed, self.moving, self.moving_copied)
        return Fidelity(*(value[chosen] for value in values))


def poses(observations: Sequence[Sequence[Observation]]) -> PoseChunk:
    """Return the flange poses (batch, frames) of rows of observations."""
    position = np.array([[seen.position for seen in row] for row in observations])
    quaternion = np.array([[seen.quaternion for seen in row] for row in observations])
    closed = np.array([[seen.closedness for seen in row] for row in observations])
    return PoseChunk(
        torch.from_numpy(position).float(),
        quaternion_to_matrix(torch.from_numpy(quaternion).float()),
        torch.from_numpy(closed).float(),
    )


def images(observations: Sequence[Sequence[Observation]]) -> Tensor:
    """Return stitched images, uint8 (batch, frames, views * height, width, 3)."""
    return torch.from_numpy(np.array([[seen.image for seen in row] for row in observations]))


class FidelityMeter:
    """Imagines the executed motions of windows and compares."""

    def __init__(
        self, model: WorldModel, device: torch.device, sampling: SamplingConfig, seed: int
    ) -> None:
        self._model, self._device = model, device
        self._sampling, self._seed = sampling, seed

    @property
    def views(self) -> tuple[str, ...]:
        """Names of the views, from top to bottom."""
        return tuple(self._model.config.views)

    @torch.no_grad()
    def imagine(self, batch: Sequence[ObservationWindow]) -> Tensor:
        """Imagined views (batch, frames, views, 3, height, width) in [0, 1], step 0 left as is."""
        rows = [window.past for window in batch]
        chunk = poses([window.future for window in batch]).to(self._device)
        context = self._model.context(images(rows).to(self._device), poses(rows).to(self._device))
        latents = self._model.imagine(context, chunk, self._sampling, self._seed).latents
        return self._model.decode(latents).float().cpu()

    @torch.no_grad()
    def reconstruct(self, batch: Sequence[ObservationWindow]) -> Tensor:
        """The autoencoder's pictures of the frames themselves, shaped like `imagine`'s."""
        latents = self._model.encode(images([window.future for window in batch]).to(self._device))
        return self._model.decode(latents).float().cpu()

    def compare(self, found: Sequence[ObservationWindow]) -> Fidelity:
        """Measure every window."""
        parts = [self._compare(batch) for batch in _batches(found)]
        return Fidelity(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def _compare(self, batch: Sequence[ObservationWindow]) -> tuple[np.ndarray, ...]:
        seen = self._views([window.future for window in batch])
        actual, present = seen[:, 1:], seen[:, :1].expand_as(seen[:, 1:])
        imagined = self.imagine(batch)[:, 1:]
        return tuple(
            values.numpy()
            for values in (
                psnr(imagined, actual),
                psnr(present, actual),
                psnr(self.reconstruct(batch)[:, 1:], actual),
                moving_psnr(imagined, actual, present),
                moving_psnr(present, actual, present),
            )
        )

    def _views(self, rows: Sequence[Sequence[Observation]]) -> Tensor:
        model = self._model.config
        stacked = images(rows).unflatten(2, (len(model.views), model.height))
        return stacked.permute(0, 1, 2, 5, 3, 4).float() / 255.0


def stitched(views: Tensor) -> np.ndarray:
    """Stack views (F, views, 3, height, width) to uint8 (F, views * height, width, 3)."""
    rows = views.permute(0, 1, 3, 4, 2).flatten(1, 2)
    return (rows * 255).round().to(torch.uint8).numpy()


def fidelity_table(found: Fidelity, views: Sequence[str], period_s: float) -> list[dict[str, Any]]:
    """Return one entry per step with the means over all windows, by view and over all views."""
    columns = [(slice(index, index + 1), name) for index, name in enumerate(views)]
    columns.append((slice(None), 'all'))
    entries = []
    for step in range(found.imagined.shape[1]):
        by_view = {
            name: {
                'imagined_db': _mean(found.imagined[:, step, view]),
                'copied_db': _mean(found.copied[:, step, view]),
                'reconstructed_db': _mean(found.reconstructed[:, step, view]),
                'moving_imagined_db': _mean(found.moving[:, step, view]),
                'moving_copied_db': _mean(found.moving_copied[:, step, view]),
            }
            for view, name in columns
        }
        entries.append({'step': step + 1, 'time_s': round((step + 1) * period_s, 6), **by_view})
    return entries


def _mean(values: np.ndarray) -> float | None:
    finite = values[np.isfinite(values)]
    return round(float(finite.mean()), 4) if finite.size else None


def _batches(found: Sequence[ObservationWindow]) -> Iterator[Sequence[ObservationWindow]]:
    for start in range(0, len(found), BATCH):
        yield found[start : start + BATCH]
