# SPDX-License-Identifier: Apache-2.0
"""How true the world model's imagination is, for motions that were really executed."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.data.observation import Observation
from vidplan_core.geometry.se3 import quaternion_to_matrix
from vidplan_core.heads.bundle import UncertaintyEstimator
from vidplan_core.metrics.images import moving_psnr, psnr, ssim
from vidplan_core.world_model.sampling.sampler import SamplingConfig
from vidplan_core.world_model.world_model import Imagination, WorldModel
from vidplan_eval.replay.windows import ObservationWindow

# Windows at a time. On a CPU more are not faster, and take more memory.
BATCH = 2


@dataclass(frozen=True, eq=False)
class Fidelity:
    """Measured against what was seen; windows x steps x views, step 1 first. PSNR is in dB.

    Attributes:
        imagined: PSNR of the imagined frames.
        copied: PSNR of the present frame, copied.
        reconstructed: PSNR of the autoencoder's picture of the frame itself: the ceiling.
        moving: PSNR of the imagined frames where the view changed; NaN where nothing did.
        moving_copied: the same of the present frame.
        similar: SSIM of the imagined frames, up to 1.
        error: mean absolute error of the imagined latents, in units of the normalised latents.
        uncertainty: mean entropy that the uncertainty head gave them, 0 .. 1; NaN without one.
        expected_error: the error that the head expected; NaN without one.
    """

    imagined: np.ndarray
    copied: np.ndarray
    reconstructed: np.ndarray
    moving: np.ndarray
    moving_copied: np.ndarray
    similar: np.ndarray
    error: np.ndarray
    uncertainty: np.ndarray
    expected_error: np.ndarray

    def of(self, chosen: np.ndarray) -> Fidelity:
        """Return the windows for which `chosen` (windows,) is true."""
        return Fidelity(*(getattr(self, name)[chosen] for name in MEASURES))


MEASURES = tuple(field.name for field in fields(Fidelity))


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


class FidelityRows:
    """Measurements of windows as they come.

    Kept as one growing row of numbers each: thousands of small arrays between the large ones of
    the networks would keep the memory of those from being used again.
    """

    def __init__(self) -> None:
        self._rows: dict[str, array[float]] = {name: array('f') for name in MEASURES}
        self._steps_views = (0, 0)

    def add(self, part: Fidelity) -> None:
        """Take up some windows."""
        for name, row in self._rows.items():
            values = getattr(part, name)
            self._steps_views = values.shape[1:]
            row.frombytes(np.ascontiguousarray(values, np.float32).tobytes())

    def whole(self) -> Fidelity:
        """Return all of them."""
        return Fidelity(
            *(np.array(row, np.float32).reshape(-1, *self._steps_views)
              for row in self._rows.values())
        )  # fmt: skip


class FidelityMeter:
    """Imagines the executed motions of windows and compares."""

    def __init__(
        self,
        model: WorldModel,
        device: torch.device,
        sampling: SamplingConfig,
        seed: int,
        head: UncertaintyEstimator | None = None,
    ) -> None:
        self._model, self._device = model, device
        self._sampling, self._seed = sampling, seed
        self._head = head

    @property
    def views(self) -> tuple[str, ...]:
        """Names of the views, from top to bottom."""
        return tuple(self._model.config.views)

    @torch.no_grad()
    def imagine(self, batch: Sequence[ObservationWindow]) -> Tensor:
        """Imagined views (batch, frames, views, 3, height, width) in [0, 1], step 0 left as is."""
        return self._model.decode(self._imagination(batch).latents).float().cpu()

    @torch.no_grad()
    def futures(self, window: ObservationWindow, candidates: PoseChunk) -> np.ndarray:
        """Last imagined frame of each candidate, uint8 (candidates, views * height, width, 3)."""
        context = self._model.context(
            images([window.past]).to(self._device), poses([window.past]).to(self._device)
        )
        chunk = candidates.to(self._device)
        latents = self._model.imagine(context, chunk, self._sampling, self._seed).latents
        return stitched(self._model.decode(latents[:, -1:])[:, 0].float().cpu())

    def compare(self, found: Sequence[ObservationWindow]) -> Fidelity:
        """Measure every window."""
        parts = [self.compare_batch(batch) for batch in _batches(found)]
        return joined(parts)

    @torch.no_grad()
    def compare_batch(self, batch: Sequence[ObservationWindow]) -> Fidelity:
        """Measure a few windows at once."""
        rows = [window.future for window in batch]
        imagination = self._imagination(batch)
        true = self._model.encode(images(rows).to(self._device))
        decoded = (self._model.decode(x).float().cpu() for x in (imagination.latents, true))
        imagined, reconstructed = (views[:, 1:] for views in decoded)
        seen = self._views(rows)
        actual, present = seen[:, 1:], seen[:, :1].expand_as(seen[:, 1:])
        error = (imagination.latents - true)[:, 1:].abs()
        entropy, expected = self._uncertainty(imagination)
        values = (
            psnr(imagined, actual),
            psnr(present, actual),
            psnr(reconstructed, actual),
            moving_psnr(imagined, actual, present),
            moving_psnr(present, actual, present),
            ssim(imagined.flatten(0, 2), actual.flatten(0, 2)).view(actual.shape[:3]),
            self._by_view(error),
            self._by_view(torch.full_like(error, torch.nan) if entropy is None else entropy),
            self._by_view(torch.full_like(error, torch.nan) if expected is None else expected),
        )
        return Fidelity(*(value.float().cpu().numpy() for value in values))

    def _imagination(self, batch: Sequence[ObservationWindow]) -> Imagination:
        rows = [window.past for window in batch]
        chunk = poses([window.future for window in batch]).to(self._device)
        context = self._model.context(images(rows).to(self._device), poses(rows).to(self._device))
        return self._model.imagine(context, chunk, self._sampling, self._seed)

    def _uncertainty(self, imagination: Imagination) -> tuple[Tensor | None, Tensor | None]:
        """What the head says of new latents: entropy, and the error that it expects."""
        if self._head is None:
            return None, None
        estimate = self._head.predict_error(imagination)
        return estimate.entropy, getattr(estimate, 'expected_error', None)

    def _by_view(self, values: Tensor) -> Tensor:
        """Means over each view of latents (batch, frames, channels, rows, columns)."""
        views = len(self._model.config.views)
        return values.unflatten(3, (views, -1)).mean(dim=(2, 4, 5))

    def _views(self, rows: Sequence[Sequence[Observation]]) -> Tensor:
        model = self._model.config
        stacked = images(rows).unflatten(2, (len(model.views), model.height))
        return stacked.permute(0, 1, 2, 5, 3, 4).float() / 255.0


def joined(parts: Sequence[Fidelity]) -> Fidelity:
    """Return the windows of several measurements, one after the other."""
    columns = ([getattr(part, name) for part in parts] for name in MEASURES)
    return Fidelity(*(np.concatenate(column) for column in columns))


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
                'imagined_ssim': _mean(found.similar[:, step, view]),
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
