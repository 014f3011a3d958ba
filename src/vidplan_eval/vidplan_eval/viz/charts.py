# SPDX-License-Identifier: Apache-2.0
"""Small line charts as inline SVG, readable on light and dark pages."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import isfinite

WIDTH, HEIGHT = 520, 170
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 26, 24


def line(
    across: Sequence[float],
    values: Sequence[float],
    title: str,
    *,
    floor: float | None = None,
) -> str:
    """Return an SVG of `values` over `across`; '' where fewer than two are finite.

    Args:
        across: positions, increasing.
        values: one per position; those that are not finite are left out.
        title: written above.
        floor: lowest value shown; the smallest of `values` if None.
    """
    points = [(x, y) for x, y in zip(across, values, strict=True) if isfinite(y)]
    if len(points) < 2:
        return ''
    x_low, x_high = points[0][0], points[-1][0]
    y_low = min(y for _, y in points) if floor is None else floor
    y_high = max(y for _, y in points)
    x_span, y_span = (x_high - x_low) or 1.0, (y_high - y_low) or 1.0
    path = ' '.join(
        f'{LEFT + (x - x_low) / x_span * (WIDTH - LEFT - RIGHT):.1f},'
        f'{HEIGHT - BOTTOM - (y - y_low) / y_span * (HEIGHT - TOP - BOTTOM):.1f}'
        for x, y in points
    )
    base = HEIGHT - BOTTOM
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img" '
        'font-size="12" font-family="system-ui, sans-serif" fill="currentColor">'
        f'<text x="{LEFT}" y="16" font-weight="600">{escape(title)}</text>'
        f'<path d="M{LEFT} {TOP}V{base}H{WIDTH - RIGHT}" fill="none" stroke="currentColor" '
        'stroke-opacity="0.35"/>'
        f'<polyline points="{path}" fill="none" stroke="#e08a00" stroke-width="2.5" '
        'stroke-linejoin="round"/>'
        f'<text x="{LEFT - 6}" y="{TOP + 9}" text-anchor="end">{y_high:.3g}</text>'
        f'<text x="{LEFT - 6}" y="{base}" text-anchor="end">{y_low:.3g}</text>'
        f'<text x="{LEFT}" y="{HEIGHT - 6}">{x_low:g}</text>'
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" text-anchor="end">cycle {x_high:g}</text>'
        '</svg>'
    )
