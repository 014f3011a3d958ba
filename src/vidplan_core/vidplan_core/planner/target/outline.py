# SPDX-License-Identifier: Apache-2.0
"""Place and turn of something flat, square and of one colour on the table, from pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Pixels whose shares of red, green and blue are this near to the thing's belong to it.
CHROMA = 0.06
BRIGHTNESS = (0.5, 1.7)  # relative to the thing's
SURE = 0.7  # of the relevancy between its middle and its peak: certainly the thing
CELL_M = 0.01  # of the raster that areas are measured on
OUTLIERS = 0.5  # per cent of the points on either side that an outline leaves out
FEWEST_POINTS = 20  # that have an outline
CORNER_M, TIP_M = 0.07, 0.04  # of a corner: what belongs to it, and its middle line


@dataclass(frozen=True)
class Square:
    """The square that is nearest to the smallest rectangle around something.

    Attributes:
        centre: (2,) m, base frame.
        yaw: of one of its sides, rad, in [0, pi / 2).
        side_m: the mean of both extents.
        uneven_m: how much longer one extent is than the other.
    """

    centre: np.ndarray
    yaw: float
    side_m: float
    uneven_m: float = 0.0

    @property
    def corners(self) -> np.ndarray:
        """(4, 2) m, base frame, one after the other."""
        half = 0.5 * self.side_m * np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
        corners: np.ndarray = self.centre + half @ _turn(self.yaw).T
        return corners


def alike(image: np.ndarray, relevancy: np.ndarray) -> np.ndarray:
    """Which pixels (height, width) have the colour of what a relevancy map shows.

    Args:
        image: (height, width, 3) in [0, 1].
        relevancy: (rows, columns) in [0, 1].
    """
    height, width = image.shape[:2]
    rows = np.arange(height) * relevancy.shape[0] // height
    columns = np.arange(width) * relevancy.shape[1] // width
    middle, peak = float(np.median(relevancy)), float(relevancy.max())
    sure = relevancy[rows][:, columns] >= middle + SURE * (peak - middle)
    chroma = image / np.maximum(image.sum(-1, keepdims=True), 1e-3)
    apart = np.linalg.norm(chroma - np.median(chroma[sure], axis=0), axis=-1)
    bright = image.sum(-1) / max(float(np.median(image.sum(-1)[sure])), 1e-3)
    found: np.ndarray = (apart < CHROMA) & (bright > BRIGHTNESS[0]) & (bright < BRIGHTNESS[1])
    return found


def smallest_square(points: np.ndarray) -> Square:
    """The square of the smallest rectangle around points (N, 2), a few outliers left out.

    Raises:
        ValueError: there are too few points to have an outline.
    """
    if len(points) < FEWEST_POINTS:
        raise ValueError(f'an outline needs {FEWEST_POINTS} points, got {len(points)}')
    found = []
    for yaw in np.radians(np.arange(0.0, 90.0, 1.0)):
        low, high = np.percentile(points @ _turn(yaw), [OUTLIERS, 100.0 - OUTLIERS], axis=0)
        found.append((float(np.prod(high - low)), float(yaw), low, high))
    _, yaw, low, high = min(found, key=lambda entry: entry[0])
    centre, extent = _turn(yaw) @ (0.5 * (low + high)), high - low
    return Square(centre, yaw, float(extent.mean()), float(abs(extent[0] - extent[1])))


def corner_tip(points: np.ndarray, near: np.ndarray, outward: np.ndarray) -> np.ndarray | None:
    """The tip (2,) of a corner of points (N, 2) that points along `outward` near a place (2,).

    None where too few points are there.
    """
    here = points[np.linalg.norm(points - near, axis=1) < CORNER_M]
    if len(here) < FEWEST_POINTS:
        return None
    aside = np.array([-outward[1], outward[0]])
    along, across = here @ outward, here @ aside
    tip = float(np.percentile(along, 99.7))
    middle = float(across[along > tip - TIP_M].mean())
    found: np.ndarray = tip * outward + middle * aside
    return found


def area_m2(points: np.ndarray) -> float:
    """Area of the table that points (N, 2) cover, m^2."""
    return float(len(np.unique(np.floor(points / CELL_M), axis=0)) * CELL_M**2)


def _turn(yaw: float) -> np.ndarray:
    """Rotation (2, 2) about the vertical."""
    c, s = np.cos(yaw), np.sin(yaw)
    return np.array([[c, -s], [s, c]])
