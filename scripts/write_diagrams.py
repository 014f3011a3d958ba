# SPDX-License-Identifier: Apache-2.0
"""Draw the diagrams of docs/concepts.md: the graph, one plan, what uncertainty does to a score.

python scripts/write_diagrams.py
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib

matplotlib.use('svg')
import matplotlib.pyplot as plt  # noqa: E402
import torch  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402

from vidplan_core.planner.config import PlannerConfig  # noqa: E402
from vidplan_core.planner.objective.combination import UncertaintyPenalty, combine  # noqa: E402

PICTURES = Path(__file__).resolve().parents[1] / 'docs' / 'pictures'
INK, QUIET, IMAGINED, DONE = '#1f2933', '#8a94a0', '#d9822b', '#2b6cb0'
FRAME_S, FRAMES, EXECUTED = 0.2, 4, 2  # of a chunk, and after how many the next one takes over
# So that the same program draws the same bytes, and browsers choose the font.
STYLE = {'svg.hashsalt': 'vidplan', 'svg.fonttype': 'none', 'font.size': 10}


def axes(width: float, height: float) -> Axes:
    """A sheet of so many inches without a frame; places are in inches."""
    figure = plt.figure(figsize=(width, height))
    sheet = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    sheet.set(xlim=(0.0, width), ylim=(0.0, height))
    sheet.axis('off')
    return sheet


def box(sheet: Axes, x: float, y: float, words: str, colour: str = INK) -> None:
    """Words in a box around a place."""
    frame = {'boxstyle': 'round,pad=0.45', 'facecolor': 'white', 'edgecolor': colour}
    sheet.text(x, y, words, ha='center', va='center', color=INK, bbox=frame, zorder=3)


def arrow(
    sheet: Axes, start: tuple[float, float], end: tuple[float, float], words: str = ''
) -> None:
    """An arrow, with words above its middle."""
    look = {'arrowstyle': '-|>', 'color': QUIET, 'shrinkA': 0, 'shrinkB': 0}
    sheet.annotate('', end, start, arrowprops=look)
    middle = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2 + 0.06
    sheet.text(*middle, words, ha='center', va='bottom', color=QUIET, size=8.5)


def draw_graph() -> None:
    """The processes, and what passes between them."""
    sheet = axes(9.0, 2.5)
    box(sheet, 0.85, 1.75, 'three cameras', QUIET)
    box(sheet, 0.85, 0.95, 'joints, gripper', QUIET)
    box(sheet, 2.75, 1.35, 'stitcher')
    box(sheet, 5.0, 1.35, 'planning server:\nworld_model, reward,\nplanner', IMAGINED)
    box(sheet, 7.0, 1.35, 'adapter', DONE)
    box(sheet, 8.35, 1.35, 'controller,\ngripper', QUIET)
    box(sheet, 5.0, 2.25, 'vidplan goal, page')
    arrow(sheet, (1.5, 1.75), (2.35, 1.45))
    arrow(sheet, (1.5, 0.95), (2.35, 1.25))
    arrow(sheet, (3.15, 1.35), (4.2, 1.35), 'observation')
    arrow(sheet, (5.8, 1.35), (6.6, 1.35), 'plan')
    arrow(sheet, (7.4, 1.35), (7.85, 1.35))
    arrow(sheet, (5.0, 2.07), (5.0, 1.8))
    sheet.plot([7.0, 7.0, 5.0], [1.15, 0.45, 0.45], color=QUIET, linewidth=1)
    arrow(sheet, (5.0, 0.45), (5.0, 0.88))
    sheet.text(6.0, 0.5, 'status: accepted, or why not', ha='center', va='bottom', color=QUIET,
               size=8.5)  # fmt: skip
    save('graph')


def draw_plan() -> None:
    """Two cycles on the axis of time: what is executed while the next plan is made."""
    sheet = axes(9.0, 3.0)
    left, scale = 1.7, 4.5  # inches; inches per second
    for frame in range(2 * EXECUTED + FRAMES + 1):
        x = left + frame * FRAME_S * scale
        sheet.plot([x, x], [0.45, 2.75], color='#e3e7eb', linewidth=1, zorder=0)
        sheet.text(x, 0.3, f'{frame * FRAME_S:.1f} s', ha='center', va='top', color=QUIET)
    for y, words in ((2.45, 'what the arm does'), (1.75, 'plan 1'), (1.05, 'plan 2')):
        sheet.text(left - 0.2, y, words, ha='right', va='center', color=INK)
    window = EXECUTED * FRAME_S * scale
    bar(sheet, left, window, 2.45, DONE, 'executes what it was sent')
    bar(sheet, left + window, window, 2.45, DONE, 'first part of plan 1')
    bar(sheet, left + 2 * window, window, 2.45, DONE, 'first part of plan 2')
    for y, start in ((1.75, left), (1.05, left + window)):
        bar(sheet, start, window, y, QUIET, 'look, imagine, choose')
        length = FRAMES * FRAME_S * scale
        bar(sheet, start + window, length, y, IMAGINED, 'the chosen motion, imagined for 0.8 s')
    save('plan')


def bar(sheet: Axes, x: float, width: float, y: float, colour: str, words: str) -> None:
    """A span of time with words in it."""
    sheet.barh(y, width - 0.04, 0.42, x + 0.02, color=colour, alpha=0.25)
    sheet.text(x + width / 2, y, words, ha='center', va='center', color=INK, size=9)


def draw_uncertainty() -> None:
    """The planner's own law, at its default parameters."""
    knobs = PlannerConfig()
    law = UncertaintyPenalty(
        knobs.usual_uncertainty, knobs.uncertainty_discount, knobs.uncertainty_weight
    )
    figure, sheet = plt.subplots(figsize=(6.0, 2.8), layout='constrained')
    doubt = torch.linspace(0.4, 0.8, 161)
    prior = torch.full_like(doubt, -1.0)
    for gain, words in ((0.8, 'imagined better than known before'), (-0.3, 'imagined worse')):
        score = combine([(prior, prior + gain)], doubt, law)
        sheet.plot(doubt, score, color=IMAGINED if gain > 0 else DONE, label=words)
    sheet.axhline(-1.0, color=QUIET, linestyle=':', label='known before')
    sheet.axvline(law.usual, color=QUIET, linewidth=0.8)
    sheet.set(xlabel='uncertainty h', ylabel='score', xlim=(0.4, 0.8))
    sheet.legend(frameon=False, fontsize=9)
    sheet.spines[['top', 'right']].set_visible(False)
    save('uncertainty')


def save(name: str) -> None:
    """Write the current figure, without a date in it."""
    PICTURES.mkdir(exist_ok=True)
    path = PICTURES / f'{name}.svg'
    plt.savefig(path, metadata={'Date': None})
    plt.close()
    print(f'{path}: {path.stat().st_size / 1000:.0f} kB')


def main() -> int:
    """Write the diagrams."""
    with plt.rc_context(STYLE):
        draw_graph()
        draw_plan()
        draw_uncertainty()
    return 0


if __name__ == '__main__':
    sys.exit(main())
