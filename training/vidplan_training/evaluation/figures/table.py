# SPDX-License-Identifier: Apache-2.0
"""The table of an evaluation: modes of prediction against measures, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, SupportsFloat

import numpy as np

from vidplan_core.metrics.streaming import RESAMPLES, StreamingMeans, interval_of
from vidplan_training.evaluation.measures import MEASURES, REGIONS

PSNR, SSIM, DEEP, ERROR = range(len(MEASURES))
SHOWN = ('psnr_db', 'ssim', 'deep_feature')
ALL, MOVING = range(len(REGIONS))

Summary = dict[str, Any]


class Table:
    """Accumulates what `PictureComparison.measure` returns, per mode, in constant memory.

    Intervals are bootstraps over episodes, the same draws for every mode, so that differences
    are between the same episodes.
    """

    def __init__(self, views: Sequence[str], resamples: int = RESAMPLES, seed: int = 0) -> None:
        self._views, self._resamples, self._seed = tuple(views), resamples, seed
        self._rows: dict[str, StreamingMeans] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Modes of prediction, in the order in which they came."""
        return tuple(self._rows)

    def add(self, name: str, measures: np.ndarray, episode: int) -> None:
        """Count one clip: (measures, regions, frames, views) of an episode."""
        if name not in self._rows:
            self._rows[name] = StreamingMeans(measures.shape, self._resamples, self._seed)
        self._rows[name].add(measures, episode)

    def summary(self, name: str) -> Summary:
        """Means over clips: of all, by view, by frame ahead, by both, with intervals."""
        row = self._rows[name]
        overall = row.means(2, 3)  # (resamples, measures, regions)
        cells = row.means()[0]  # (measures, regions, frames, views)
        frames, views = row.means(3)[0], row.means(2)[0]
        moving = _shown(overall[0, :, MOVING])
        return {
            **_shown(overall[0, :, ALL]),
            'psnr_of_mean_error_db': rounded(_decibel(overall[0, ERROR, ALL])),
            'moving_psnr_db': moving['psnr_db'],
            'moving': {
                **moving,
                'psnr_of_mean_error_db': rounded(_decibel(overall[0, ERROR, MOVING])),
            },
            'interval_95': {
                measure: interval(overall[:, index, ALL]) for index, measure in enumerate(SHOWN)
            },
            'per_view': {view: _cell(views[..., i]) for i, view in enumerate(self._views)},
            'per_frame': [_cell(frames[..., k]) for k in range(frames.shape[-1])],
            'per_frame_and_view': {
                view: [_cell(cells[..., k, i]) for k in range(cells.shape[-2])]
                for i, view in enumerate(self._views)
            },
        }

    def curve(self, name: str) -> Summary:
        """Means over clips per frame ahead: over views, by view, of moving pixels, intervals."""
        row = self._rows[name]
        both = row.means(3)  # (resamples, measures, regions, frames)
        overall = both[:, :, ALL]
        cells = row.means()[0, :, ALL]  # (measures, frames, views)
        return {
            **_curves(overall[0]),
            'moving': _curves(both[0, :, MOVING]),
            'interval_95': {
                measure: [interval(estimates) for estimates in overall[:, index].T]
                for index, measure in enumerate(SHOWN)
            },
            'per_view': {view: _curves(cells[..., i]) for i, view in enumerate(self._views)},
        }

    def margin(self, name: str, other: str, view: int | None = None) -> Summary:
        """Mean advantage in dB at the last frame over another mode, with its interval."""
        first, second = (self._last(row, PSNR, view) for row in (name, other))
        return _estimate('db', first - second)

    def pooled_margin(self, name: str, other: str, view: int | None = None) -> Summary:
        """As `margin`, of the PSNR of the mean error: still clips then weigh less."""
        first, second = (_decibel(self._last(row, ERROR, view)) for row in (name, other))
        return _estimate('db', first - second)

    def against(self, name: str, other: str) -> Summary:
        """PSNR minus another mode's, and deep-feature distance over it, with intervals."""
        first, second = (self._rows[row].means(2, 3)[:, :, ALL] for row in (name, other))
        with np.errstate(invalid='ignore', divide='ignore'):
            ratio = first[:, DEEP] / second[:, DEEP]
        return {
            'psnr_db': _estimate('difference', first[:, PSNR] - second[:, PSNR]),
            'deep_feature': _estimate('ratio', ratio),
        }

    def _last(self, name: str, measure: int, view: int | None) -> np.ndarray:
        """Means (1 + resamples,) of a measure at the last frame, of one view or of all."""
        row = self._rows[name]
        pick = slice(None) if view is None else slice(view, view + 1)
        sums, counts = (
            part[:, measure, ALL, -1, pick].sum(-1) for part in (row.sums(), row.counts())
        )
        with np.errstate(invalid='ignore', divide='ignore'):
            return np.asarray(sums / counts)


def rounded(value: SupportsFloat) -> float | None:
    """A number for json: five decimals, None where it is not finite."""
    number = float(value)
    return round(number, 5) if np.isfinite(number) else None


def interval(estimates: np.ndarray) -> list[float | None]:
    """Both ends of the interval of estimates (1 + resamples,)."""
    return [rounded(end) for end in interval_of(estimates)]


def _estimate(name: str, estimates: np.ndarray) -> Summary:
    return {name: rounded(estimates[0]), 'interval_95': interval(estimates)}


def _shown(measures: np.ndarray) -> dict[str, float | None]:
    return {name: rounded(measures[index]) for index, name in enumerate(SHOWN)}


def _curves(measures: np.ndarray) -> dict[str, list[float | None]]:
    """Measures (measures, frames) by name."""
    return {name: [rounded(x) for x in measures[index]] for index, name in enumerate(SHOWN)}


def _cell(measures: np.ndarray) -> Summary:
    """Measures (measures, regions) of a part of the table."""
    return {**_shown(measures[:, ALL]), 'moving': _shown(measures[:, MOVING])}


def _decibel(mean_square: np.ndarray) -> np.ndarray:
    return -10.0 * np.log10(mean_square)
