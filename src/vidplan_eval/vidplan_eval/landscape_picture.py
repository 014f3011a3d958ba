# SPDX-License-Identifier: Apache-2.0
"""The picture of a landscape: one row per height, one panel per prediction, truth last."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from vidplan_eval.viz import drawing

if TYPE_CHECKING:
    from vidplan_eval.landscape import Landscape

PANEL, GAP, TOP, LEFT = 200, 14, 84, 74
TITLES = {
    'score': 'score',
    'relevancy': 'relevancy',
    'distance_m': 'distance, m',
    'value': 'value',
    'uncertainty': 'uncertainty',
    'truth': 'true distance, m',
}
# Where less is better, the colours turn round: bright is good in every panel but uncertainty.
LESS_IS_BETTER = ('distance_m', 'truth')


def draw_landscape(landscape: Landscape) -> Image.Image:
    """Draw all layers; a ring marks the predicted best, a cross the true one, a dot the present.

    In every panel x (ahead of the base) grows upwards and y grows to the left, as seen from
    behind the robot.
    """
    # The value of coming to rest is the same for all motions.
    maps = {name: landscape.predicted[name] for name in TITLES if name in landscape.predicted}
    if landscape.true_distance_m is not None:
        maps['truth'] = landscape.true_distance_m
    layers = landscape.grid.shape[0]
    width = LEFT + len(maps) * (PANEL + GAP)
    picture = drawing.canvas(width, TOP + layers * (PANEL + GAP))
    drawing.text(picture, (GAP, 8), landscape.instruction, size=18)
    span_cm = 100 * landscape.grid.across[-1]
    words = f'x up, y left, {span_cm:.0f} cm each way; o predicted best, x true best'
    drawing.text(picture, (GAP, 32), words, size=13, colour=drawing.MUTED)
    for column, (name, values) in enumerate(maps.items()):
        left = LEFT + column * (PANEL + GAP)
        drawing.text(picture, (left, 54), TITLES.get(name, name), size=14)
        low, high = _range(values)
        drawing.text(
            picture, (left + PANEL, 54), f'{low:.3g} .. {high:.3g}', size=12,
            colour=drawing.MUTED, anchor='ra',
        )  # fmt: skip
        for layer in range(layers):
            panel = _panel(values[layer], low, high, turned=name in LESS_IS_BETTER)
            _mark(panel, landscape, layer)
            picture.paste(panel, (left, TOP + layer * (PANEL + GAP)))
    for layer, height in enumerate(landscape.grid.heights):
        at = (GAP, TOP + layer * (PANEL + GAP) + PANEL / 2)
        drawing.text(picture, at, f'{100 * height:+.0f} cm', colour=drawing.MUTED, anchor='lm')
    return picture


def _range(values: np.ndarray) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    return (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)


def _panel(values: np.ndarray, low: float, high: float, *, turned: bool) -> Image.Image:
    """Heat map (x, y) -> picture, x upwards and y to the left; unknown places are empty."""
    share = (values - low) / max(high - low, 1e-9)
    share = 1.0 - share if turned else share
    known = np.isfinite(share)
    colours = drawing.heat_colours(np.where(known, share, 0.0))
    colours[~known] = drawing.TILE
    upright = colours[::-1, ::-1].astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(upright)).resize(
        (PANEL, PANEL), Image.Resampling.NEAREST
    )


def _mark(panel: Image.Image, landscape: Landscape, layer: int) -> None:
    pen = ImageDraw.Draw(panel)
    x, y = _pixel(landscape, (0.0, 0.0))
    pen.ellipse((x - 2, y - 2, x + 2, y + 2), fill=drawing.INK)
    summary = landscape.summary()
    best = _best(landscape, landscape.predicted['score'])
    height = landscape.grid.heights[layer]
    if np.isclose(best[2], height):
        x, y = _pixel(landscape, best[:2])
        pen.ellipse((x - 8, y - 8, x + 8, y + 8), outline=drawing.TRAIL, width=3)
    if summary and np.isclose(summary['true_best_m'][2], height):
        x, y = _pixel(landscape, summary['true_best_m'][:2])
        pen.line((x - 7, y - 7, x + 7, y + 7), fill=drawing.GOOD, width=3)
        pen.line((x - 7, y + 7, x + 7, y - 7), fill=drawing.GOOD, width=3)


def _best(landscape: Landscape, score: np.ndarray) -> np.ndarray:
    flat = np.where(np.isfinite(score), score, -np.inf).ravel()
    return landscape.grid.motions().numpy()[int(flat.argmax())]


def _pixel(landscape: Landscape, offset: tuple[float, float] | np.ndarray) -> tuple[float, float]:
    """Pixel of an offset (x, y), m; the outermost offsets are centres of the outermost cells."""
    across = landscape.grid.across
    cell = PANEL / len(across)
    scale = (PANEL - cell) / (across[-1] - across[0])
    return PANEL / 2 - scale * float(offset[1]), PANEL / 2 - scale * float(offset[0])
