# SPDX-License-Identifier: Apache-2.0
"""How far the outline of a cloth is the half that a fold along its diagonal leaves."""

from __future__ import annotations

import numpy as np

from vidplan_core.planner.tasks.folding.way import FoldWay

CELL_M, CELLS = 0.01, 64  # of the raster, which is wider than any cloth is seen
SHIFTS = 4  # cells that the half may lie off along both axes
TURNS_RAD = np.radians([-12.0, -6.0, 0.0, 6.0, 12.0])
FULL = 0.5  # of the points that cells usually hold, from which on one is covered


def folded(points: np.ndarray, way: FoldWay) -> np.ndarray:
    """Where a fold puts points (N, 2): what lies beyond its line is mirrored."""
    beyond = np.maximum((points - way.far) @ way.toward - way.half_m, 0.0)
    mirrored: np.ndarray = points - 2.0 * beyond[:, None] * way.toward
    return mirrored


def overlap_with_half(points: np.ndarray, way: FoldWay) -> float:
    """Intersection over union, in [0, 1], of an outline with the ideal half of a fold.

    The half may lie a little off and turned: cloth is dragged along.

    Args:
        points: (N, 2) on the table, base frame, m, evenly spread over what is seen of the cloth.
        way: of the fold.
    """
    c, s = way.toward
    local = (points - way.far) @ np.array([[c, -s], [s, c]])
    covered = _covered(local - [0.5 * way.half_m, 0.0])
    area, best = int(covered.sum()), 0.0
    if not area:
        return 0.0
    spectrum = np.fft.rfft2(covered)
    for turn in TURNS_RAD:
        half = _half(way.half_m, turn)
        shared = np.fft.irfft2(spectrum * np.fft.rfft2(half).conj(), s=half.shape)
        near = np.roll(shared, (SHIFTS, SHIFTS), (0, 1))[: 2 * SHIFTS + 1, : 2 * SHIFTS + 1]
        most = float(near.max())
        best = max(best, most / (area + half.sum() - most))
    return best


def _covered(points: np.ndarray) -> np.ndarray:
    """Cells (CELLS, CELLS) that points (N, 2) around the origin fill, 0 or 1."""
    index = np.floor(points / CELL_M).astype(int) + CELLS // 2
    index = index[((index >= 0) & (index < CELLS)).all(axis=1)]
    counts = np.zeros((CELLS, CELLS))
    np.add.at(counts, (index[:, 0], index[:, 1]), 1.0)
    if not len(index):
        return counts
    return (counts >= FULL * np.median(counts[counts > 0])).astype(float)


def _half(height_m: float, turn: float) -> np.ndarray:
    """Cells of the ideal half: its right angle at -height / 2, its long side at height / 2."""
    at = (np.arange(CELLS) - CELLS // 2 + 0.5) * CELL_M
    x, y = np.meshgrid(at, at, indexing='ij')
    along = np.cos(turn) * x + np.sin(turn) * y + 0.5 * height_m
    aside = np.cos(turn) * y - np.sin(turn) * x
    return ((along < height_m) & (np.abs(aside) < along)).astype(float)
