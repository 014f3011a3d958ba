# SPDX-License-Identifier: Apache-2.0
"""The plot of how imagination drifts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vidplan_training.evaluation.figures.pictures import title_of

MEASURES = {'psnr_db': 'PSNR [dB]', 'deep_feature': 'deep-feature distance'}
DOTTED = {'reconstruction': 'reconstruction', 'copy_first': 'first picture, copied'}


def plot_drift(result: dict[str, Any], path: Path) -> None:
    """Draw measures over time ahead, with the intervals of the sampled modes, as PNG or SVG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 3.6), layout='constrained')
    seconds = result['seconds']
    for axes, (measure, label) in zip(figure.subplots(1, 2), MEASURES.items()):
        for steps, row in result['steps'].items():
            (line,) = axes.plot(seconds, row[measure], label=title_of(int(steps)))
            low, high = zip(*row['interval_95'][measure])
            axes.fill_between(seconds, low, high, alpha=0.15, color=line.get_color(), lw=0)
        for name, words in DOTTED.items():
            curve = result[name][measure]
            axes.plot(seconds, curve, ':', color='grey')
            # Two dotted lines in one colour are distinguished where they end.
            axes.annotate(
                words,
                (seconds[-1], curve[-1]),
                xytext=(0, 4),
                textcoords='offset points',
                fontsize=7,
                ha='right',
            )
        axes.set(xlabel='time ahead [s]', ylabel=label)
        axes.grid(alpha=0.25)
    axes.legend(fontsize=7)
    figure.suptitle(f'{result["episodes"]} episodes, imagination fed back', fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
