# SPDX-License-Identifier: Apache-2.0
"""Curves of a run: the score, and every named term of it, plan after plan."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from vidplan_eval.viz import drawing
from vidplan_eval.viz.runlog import RunLog

WIDTH, PANEL, GAP, TOP, LEFT = 720, 110, 16, 40, 120
COLOURS = (drawing.CHOSEN, drawing.TRAIL, drawing.GOOD, drawing.BAD, drawing.INK)


def term_curves(log: RunLog) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Times of the plans since the first, s, and by name the score and its terms.

    Plans that lack a term, such as one that rests, have NaN there.
    """
    plans = [plan for plan in log.plans if np.isfinite(plan.score)]
    times = np.array([plan.stamp_s for plan in plans])
    names = dict.fromkeys(name for plan in plans for name in plan.terms)
    curves = {'score': np.array([plan.score for plan in plans])}
    for name in names:
        curves[name] = np.array([plan.terms.get(name, np.nan) for plan in plans])
    return times - times[:1].sum(), curves


def draw_curves(log: RunLog) -> Image.Image:
    """Draw one panel per curve above each other, over the same time.

    Raises:
        ValueError: the run has no plan with a score.
    """
    times, curves = term_curves(log)
    if not len(times):
        raise ValueError('the run has no plan with a score: there is no curve to draw')
    picture = drawing.canvas(WIDTH, TOP + len(curves) * (PANEL + GAP) + 2 * GAP)
    drawing.text(picture, (GAP, 10), drawing.fit(log.instruction, WIDTH - 2 * GAP, 18), size=18)
    for row, (name, values) in enumerate(curves.items()):
        top = TOP + row * (PANEL + GAP)
        _draw_panel(picture, top, name, times, values, COLOURS[row % len(COLOURS)])
    words = f'0 .. {times[-1]:.1f} s'
    at = (WIDTH - GAP, picture.height - GAP)
    drawing.text(picture, at, words, size=12, colour=drawing.MUTED, anchor='rm')
    return picture


def _draw_panel(
    picture: Image.Image,
    top: int,
    name: str,
    times: np.ndarray,
    values: np.ndarray,
    colour: drawing.Colour,
) -> None:
    right = WIDTH - GAP
    ImageDraw.Draw(picture).rectangle((LEFT, top, right, top + PANEL), fill=drawing.TILE)
    known = np.isfinite(values)
    low, high = (float(f(values[known])) for f in (np.min, np.max)) if known.any() else (0.0, 0.0)
    drawing.text(picture, (GAP, top + PANEL / 2), name, size=13, anchor='lm')
    for value, y in ((high, top + 10), (low, top + PANEL - 10)):
        drawing.text(
            picture, (LEFT - 6, y), f'{value:.3g}', size=11, colour=drawing.MUTED, anchor='rm'
        )
    across = LEFT + 6 + (right - LEFT - 12) * times / max(float(times[-1]), 1e-9)
    up = top + PANEL - 8 - (PANEL - 16) * (values - low) / max(high - low, 1e-9)
    points = [(float(x), float(y)) for x, y, ok in zip(across, up, known) if ok]
    drawing.draw_path(picture, points, colour, dots=True)
