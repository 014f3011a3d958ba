# SPDX-License-Identifier: Apache-2.0
"""The readout alone, on imaginations that are made once: thousands of steps for a few passes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vidplan_core.metrics.ranking import exact_area
from vidplan_core.world_model.context import Context
from vidplan_core.world_model.outcome import OutcomeReadout
from vidplan_core.world_model.sampling.sampler import MEAN
from vidplan_core.world_model.world_model import WorldModel
from vidplan_training.engine.platt import platt
from vidplan_training.engine.progress_log import ProgressLog
from vidplan_training.recipes.contact.data import Targets, Windows
from vidplan_training.recipes.contact.model import fed_back, outcome_loss
from vidplan_training.recipes.world_model.recipe import split_clip

AT_ONCE = 32
LIFT_HOP = 4  # frames after which the window after a closing begins
SHARE_TRUE = 0.3  # of the rows read true pictures
NOISE = 0.08  # added to what is read
HELD = 1  # number of its logit among those of a frame


@dataclass(frozen=True, eq=False)
class ReadoutRows:
    """What the readout reads and should say.

    imagined, true: new frames, float16 (rows, frames, channels, rows, columns); present likewise;
    tokens: (rows, 1 + frames, features); targets: of the new frames; kind: 0 where the fingers
    close in a window, 1 for the window after it, 2 for any.
    """

    imagined: Tensor
    true: Tensor
    present: Tensor
    tokens: Tensor
    targets: Targets
    kind: Tensor

    def __len__(self) -> int:
        return len(self.imagined)

    def draw(self, count: int, rng: torch.Generator) -> Tensor:
        """Numbers of rows (count,): a third of every kind."""
        sizes = torch.bincount(self.kind, minlength=3).clamp_min(1)
        return torch.multinomial(1.0 / sizes[self.kind], count, replacement=True, generator=rng)


@torch.no_grad()
def imagined_rows(
    model: WorldModel, windows: Windows, longer: Windows, others: int, seed: int
) -> ReadoutRows:
    """Rows of all closings, of the windows after them, and of some others.

    Args:
        model: imagines.
        windows, longer: of the same episodes; the longer ones go on for LIFT_HOP frames.
        others: how many windows of any kind.
        seed: of their choice and of the ways to command.
    """
    rng = torch.Generator().manual_seed(seed)
    chosen = [(0, windows.closings()), (1, longer.closings()), (2, windows.draw(others, rng))]
    progress = ProgressLog('imagine (windows)', sum(len(numbers) for _, numbers in chosen))
    parts, done = [], 0
    for kind, numbers in chosen:
        for some in numbers.split(AT_ONCE):
            parts.append(_rows(model, windows, longer, kind, some, rng))
            done += len(some)
            progress.update(done)
    columns = [torch.cat(column) for column in zip(*parts, strict=True)]
    imagined, true, present, tokens, closedness, held, contact, kinds = columns
    targets = Targets(closedness, held, contact)
    return ReadoutRows(imagined, true, present, tokens, targets, kinds)


def _rows(
    model: WorldModel, windows: Windows, longer: Windows, kind: int, some: Tensor,
    rng: torch.Generator,
) -> tuple[Tensor, ...]:  # fmt: skip
    if kind == 1:
        where = longer.where(some, longer.frames + LIFT_HOP)
        clips, targets = fed_back(model, longer, where, LIFT_HOP, rng)
    else:
        clips, targets = windows.clips(windows.where(some), rng)
    parts = split_clip(clips, model.config.history_frames)
    found = model.imagine(Context(parts.history, parts.past), parts.chunk, MEAN, 0)
    tokens = found.condition.actions[:, -model.config.frames :]
    pictures = (found.latents[:, 1:], parts.future[:, 1:], parts.history[:, -1])
    return (
        *(picture.half() for picture in pictures), tokens,
        targets.closedness, targets.held, targets.contact, torch.full((len(some),), kind),
    )  # fmt: skip


def readout_loss(readout: OutcomeReadout, rows: ReadoutRows, rng: torch.Generator, count: int) -> (
    Tensor
):  # fmt: skip
    """Loss of a random batch, of true pictures in a share of it, all a little disturbed."""
    index = rows.draw(count, rng)
    true = torch.rand(count, 1, 1, 1, 1, generator=rng) < SHARE_TRUE
    seen = torch.where(true, rows.true[index], rows.imagined[index]).float()
    present = rows.present[index].float()
    shift = NOISE * torch.randn(present.shape, generator=rng)
    seen = seen + shift[:, None] + NOISE * torch.randn(seen.shape, generator=rng)
    found = readout(seen, present + shift, rows.tokens[index])
    targets = rows.targets
    return outcome_loss(
        found, Targets(targets.closedness[index], targets.held[index], targets.contact[index])
    )


@torch.no_grad()
def readout_report(readout: OutcomeReadout, rows: ReadoutRows) -> dict[str, float]:
    """Areas of `held` at the end of held-out windows by kind, and the loss."""
    held, losses = [], []
    for index in torch.arange(len(rows)).split(64):
        found = readout(rows.imagined[index].float(), rows.present[index].float(),
                        rows.tokens[index])  # fmt: skip
        held.append(found.held[:, -1])
        targets = Targets(*(values[index] for values in vars(rows.targets).values()))
        losses.append(outcome_loss(found, targets) * len(index))
    scores, true = torch.cat(held).numpy(), (rows.targets.held[:, -1] > 0.5).numpy()
    report = {'loss': float(torch.stack(losses).sum() / len(rows))}
    for kind, name in enumerate(('closing_auroc', 'lift_auroc', 'held_auroc')):
        inside = (rows.kind == kind).numpy()
        report[name] = exact_area(scores[inside], true[inside])
    return report


def calibrate(readout: OutcomeReadout, rows: ReadoutRows) -> tuple[float, float]:
    """Scale and shift the logits of `held` so that its probabilities come true on rows.

    Platt scaling (Platt 1999) on the ends of closings and of the windows after them, folded into
    the last layer; returns scale and shift. Rows must not be those that were trained on.
    """
    inside = rows.kind < 2
    with torch.no_grad():
        parts = [
            readout(rows.imagined[i].float(), rows.present[i].float(), rows.tokens[i]).held[:, -1]
            for i in inside.nonzero()[:, 0].split(AT_ONCE)
        ]
    logits, true = torch.cat(parts), rows.targets.held[inside][:, -1]
    scale, shift = platt(logits, true)
    last = readout.out[-1]
    with torch.no_grad():
        last.weight[HELD] *= scale  # type: ignore[index, operator]
        last.bias[HELD] = last.bias[HELD] * scale + shift  # type: ignore[index, operator]
    return scale, shift
