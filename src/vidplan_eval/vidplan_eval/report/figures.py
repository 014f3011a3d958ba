# SPDX-License-Identifier: Apache-2.0
"""Pictures of a report, as PNG: bars of rates and curves over clutter, with exact intervals."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vidplan_core.metrics.intervals import exact_interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

# Colours that stay apart for colour-blind readers (Okabe and Ito, 2008).
COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000', '#999999')

# Successes and trials.
Rate = tuple[int, int]


def bars(title: str, groups: Mapping[str, Mapping[str, Rate]], names: Sequence[str]) -> bytes:
    """Rates in groups (tasks) of bars (methods, in the order of `names`)."""
    figure, axes = _canvas(max(5.0, 1.2 + 0.28 * len(names) * len(groups)), title)
    width = 0.84 / max(len(names), 1)
    for index, name in enumerate(names):
        places, heights, errors = [], [], []
        for place, rates in enumerate(groups.values()):
            if name in rates and rates[name][1]:
                rate, low, high = _rate(rates[name])
                places.append(place + (index - (len(names) - 1) / 2) * width)
                heights.append(rate)
                errors.append((rate - low, high - rate))
        if places:
            colour = COLOURS[index % len(COLOURS)]
            axes.bar(places, heights, width, label=name, color=colour, yerr=list(zip(*errors)),
                     error_kw={'lw': 1, 'capsize': 2, 'ecolor': '#444444'})  # fmt: skip
    axes.set_xticks(range(len(groups)), list(groups))
    return _png(figure, axes)


def curves(
    title: str,
    lines: Mapping[str, Mapping[int, Rate]],
    said: Mapping[str, Mapping[int, float]],
) -> bytes:
    """Rates over the number of distractors; `said` has rates that nobody gave a count for."""
    figure, axes = _canvas(6.0, title)
    for index, (name, points) in enumerate(lines.items()):
        rates = [_rate(point) for point in points.values()]
        middle, low, high = zip(*rates)
        colour = COLOURS[index % len(COLOURS)]
        axes.plot(list(points), middle, 'o-', color=colour, label=name)
        axes.fill_between(list(points), low, high, color=colour, alpha=0.12, lw=0)
    for name, known in said.items():
        axes.plot(list(known), list(known.values()), 'x:', color='#666666', label=name)
    axes.set_xlabel('distractors')
    return _png(figure, axes)


def _canvas(width: float, title: str) -> tuple[Canvas, Any]:
    from matplotlib.figure import Figure as Canvas

    figure = Canvas(figsize=(width, 3.6), layout='constrained')
    axes = figure.subplots()
    axes.set(title=title, ylabel='rate', ylim=(0.0, 1.02))
    axes.grid(axis='y', alpha=0.25)
    return figure, axes


def _png(figure: Canvas, axes: Any) -> bytes:
    axes.legend(fontsize=7, loc='center left', bbox_to_anchor=(1.0, 0.5))
    buffer = io.BytesIO()
    figure.savefig(buffer, format='png', dpi=110)
    return buffer.getvalue()


def _rate(rate: Rate) -> tuple[float, float, float]:
    return rate[0] / rate[1], *exact_interval(*rate)
