# SPDX-License-Identifier: Apache-2.0
"""Reliability diagram, sparsification curve, and heat maps on good and hallucinated rollouts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vidplan_core.heads.heat_map import heat_map
from vidplan_training.evaluation.clips import CLIPS_PER_EPISODE, Clip, ClipPlace
from vidplan_training.evaluation.uncertainty.evidence import UncertaintyEvidence, UncertaintyRun
from vidplan_training.recipes.heads.planted import plant
from vidplan_training.recipes.heads.rollouts import Rollouts

SHOWN_CLIPS = 4
# Shares of all estimates that become blue and red in a heat map.
SPAN = (0.02, 0.98)


def draw(run: UncertaintyRun, clips: Iterable[tuple[ClipPlace, Clip]], folder: Path) -> None:
    """Write reliability.png, sparsification.png and heat_maps.png."""
    folder.mkdir(parents=True, exist_ok=True)
    plot_reliability(run.evidence, folder / 'reliability.png')
    plot_sparsification(run.evidence, folder / 'sparsification.png')
    parts = [run.imagine(clip, place.number) for place, clip in clips]
    paint(run, Rollouts.cat(parts), folder / 'heat_maps.png')


def plot_reliability(evidence: dict[str, UncertaintyEvidence], path: Path) -> None:
    """Predicted against observed probability that an error lies below a threshold."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 3.6), layout='constrained')
    left, right = figure.subplots(1, 2)
    left.plot([0, 1], [0, 1], ':', color='grey')
    for mode, counted in evidence.items():
        diagram = counted.calibration.thresholds.diagram()
        filled = np.array(diagram['samples']) > 0
        points = (np.array(diagram[name])[filled] for name in ('predicted', 'observed'))
        left.plot(*points, '.-', label=mode)
        share = counted.calibration.positions.total
        right.step(np.linspace(0, 1, len(share)), len(share) * share / max(share.sum(), 1.0))
    left.set(xlabel='predicted probability', ylabel='observed rate')
    right.axhline(1.0, ls=':', color='grey')
    right.set(xlabel='place of the error in its distribution', ylabel='density', ylim=(0, 2))
    left.legend(fontsize=7)
    figure.savefig(path, dpi=110)


def plot_sparsification(evidence: dict[str, UncertaintyEvidence], path: Path) -> None:
    """Mean error of what remains, beside an oracle and chance."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 3.6), layout='constrained')
    axes = figure.subplots()
    for mode, counted in evidence.items():
        curves = counted.sparse.curves()
        (line,) = axes.plot(curves['removed'], curves['uncertainty'], label=mode)
        axes.plot(curves['removed'], curves['oracle'], ':', color=line.get_color())
    axes.axhline(1.0, ls='--', color='grey', label='at random')
    axes.set(xlabel='most uncertain share taken away', ylabel='mean error of the rest')
    axes.legend(fontsize=7)
    figure.savefig(path, dpi=110)


def paint(run: UncertaintyRun, rollouts: Rollouts, path: Path) -> None:
    """Last new frame of some clips: imagined, heat map, edited, heat map of the edited one."""
    from PIL import Image

    views = len(run.model.config.views)
    edited, _ = plant(rollouts, views, 1.0, np.random.default_rng(run.seed), CLIPS_PER_EPISODE)
    columns = []
    for shown in (rollouts, edited):
        frames = run.model.decode(shown.inputs.predicted)
        entropy = run.head.estimate(shown.inputs).entropy
        low, high = (float(torch.quantile(entropy.flatten()[:100_000], q)) for q in SPAN)
        level = (entropy - low) / max(high - low, 1e-6)
        if run.hallucination is not None:
            wrong = run.hallucination.probability(shown.inputs)
            level = torch.maximum(level, wrong[:, :, None].to(level))
        mapped = heat_map(run.model, level, frames)
        columns += [frames[:SHOWN_CLIPS, -1], mapped[:SHOWN_CLIPS, -1]]
    picture = torch.cat([_stacked(column) for column in columns], dim=-1)
    pixels = (picture.clamp(0, 1) * 255).round().byte().permute(1, 2, 0)
    Image.fromarray(pixels.numpy()).save(path)


def _stacked(frames: Tensor) -> Tensor:
    """Clips above each other, views beside each other: (3, clips*height, views*width)."""
    clips, views, colours, height, width = frames.shape
    return frames.permute(2, 0, 3, 1, 4).reshape(colours, clips * height, views * width).float()
