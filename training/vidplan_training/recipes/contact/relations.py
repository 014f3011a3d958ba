# SPDX-License-Identifier: Apache-2.0
"""The part of a value head that reads relations, on features that the rest of it gave once.

Its other part takes a second for a batch, this one milliseconds: it sees a thousand times more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from vidplan_core.heads.inputs import HeadInput
from vidplan_core.heads.network import HeadConfig
from vidplan_core.heads.value import FOLDER, ValueHead, load_value
from vidplan_training.engine.progress_log import ProgressLog
from vidplan_training.recipes.contact.value import (
    BRANCHES,
    ValueBatch,
    ValueSampler,
    loss_of,
    rows_of,
)

SETS, OTHERS = 8, 64  # at once
OFF = 0.15  # standard deviation of noise on offsets, as they are encoded


def head_of(models: Path, config: HeadConfig, device: torch.device) -> ValueHead:
    """The head of a models folder where it has these sizes, with relations or before; else new."""
    if (models / FOLDER).is_dir():
        known = load_value(models, device)
        if known.config == config:
            return known.requires_grad_(True)
        if known.config == replace(config, axes=0, relations=0):
            return with_relations(known, config).to(device)
    return ValueHead(config).to(device)


def with_relations(known: ValueHead, config: HeadConfig) -> ValueHead:
    """A head of a configuration that says what another one says until it is trained."""
    head = ValueHead(config)
    head.load_state_dict(known.state_dict() | _new_of(head))
    return head


def _new_of(head: ValueHead) -> dict[str, Tensor]:
    return {name: w for name, w in head.state_dict().items() if name.startswith('relations.')}


@dataclass(frozen=True, eq=False)
class LookedRows:
    """Rows whose pictures were looked at: branch sets first, then others.

    looked: what `ValueHead.looked` gave, float16 (rows, frames, numbers); samples: the rows,
    without pictures; sets: how many branch sets there are.
    """

    looked: Tensor
    samples: ValueBatch
    sets: int

    def batch(self, rows: int, rng: torch.Generator) -> tuple[Tensor, ValueBatch]:
        """Features and rows, half of them whole branch sets."""
        chosen = torch.randint(self.sets, (max(1, rows // 2 // BRANCHES),), generator=rng)
        low, high = self.sets * BRANCHES, len(self.looked)
        others = torch.randint(low, high, (rows // 2 if high > low else 0,), generator=rng)
        index = torch.cat([rows_of(chosen), others]).to(self.looked.device)
        return self.looked[index].float(), self.samples.rows(index)

    def save(self, path: Path) -> None:
        """Write what was looked at."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix('.part')
        inputs = {k: v for k, v in vars(self.samples.inputs).items() if v is not None}
        torch.save({'inputs': inputs, 'to_go': self.samples.to_go, 'group': self.samples.group,
                    'looked': self.looked, 'sets': self.sets}, part)  # fmt: skip
        part.replace(path)

    @staticmethod
    def cat(parts: Sequence[LookedRows]) -> LookedRows:
        """Join: the branch sets of all parts come first."""
        halves = [part.part(first) for first in (True, False) for part in parts]
        looked = torch.cat([looked for looked, _ in halves])
        samples = ValueBatch.cat([batch for _, batch in halves])
        return LookedRows(looked, samples, sum(part.sets for part in parts))

    def renumbered(self, first: int) -> LookedRows:
        """The same rows, whose branch sets are numbered from another number on."""
        group = self.samples.group.clone()
        numbers = torch.arange(first, first + self.sets).repeat_interleave(BRANCHES)
        group[: self.sets * BRANCHES] = numbers.to(group)
        return replace(self, samples=replace(self.samples, group=group))

    def part(self, branches: bool) -> tuple[Tensor, ValueBatch]:
        """The branch sets, or the other rows."""
        ends = (0, self.sets * BRANCHES) if branches else (self.sets * BRANCHES, len(self.looked))
        index = torch.arange(*ends, device=self.looked.device)
        return self.looked[index], self.samples.rows(index)

    @staticmethod
    def load(path: Path) -> LookedRows:
        """Read what `save` wrote."""
        have = torch.load(path, weights_only=True)
        samples = ValueBatch(HeadInput(**have['inputs']), have['to_go'], have['group'])
        return LookedRows(have['looked'], samples, have['sets'])


def look(
    head: ValueHead, samples: ValueSampler, groups: int, seed: int, folder: Path
) -> LookedRows:
    """Look at groups of SETS branch sets and OTHERS windows, drawn by a seed.

    Every group is a file of a folder: what is there already is not looked at again.
    """
    progress = ProgressLog('looked at (groups)', groups)
    files = [folder / f'group_{seed}_{number}.pt' for number in range(groups)]
    for number, file in enumerate(files):
        if not file.exists():
            _look_once(head, samples, number, seed).save(file)
        progress.update(number + 1)
    return LookedRows.cat([LookedRows.load(file) for file in files])


@torch.no_grad()
def _look_once(head: ValueHead, samples: ValueSampler, number: int, seed: int) -> LookedRows:
    rng = torch.Generator().manual_seed(9_000_011 * seed + number)
    batch = samples.make(rng, SETS, OTHERS)
    looked = head.looked(batch.inputs).half()
    # A set that is drawn twice is no larger one.
    return LookedRows(looked, without_pictures(batch), SETS).renumbered(number * SETS)


def without_pictures(batch: ValueBatch) -> ValueBatch:
    """Rows that leave out what only the rest of the head reads."""
    inputs = batch.inputs
    bare = replace(
        inputs, predicted=inputs.predicted[:, :0], noisy=inputs.noisy[:, :0],
        present=inputs.present[:, :0],
        maps=None if inputs.maps is None else inputs.maps[:, :0],
    )  # fmt: skip
    return replace(batch, inputs=bare)


def _misplaced(inputs: HeadInput, rng: torch.Generator) -> HeadInput:
    """Inputs whose places are a little off, the same in all frames, where they are known."""
    known = inputs.offsets
    assert known is not None
    noise = torch.randn((len(known), 1, known.shape[2]), generator=rng).to(known)
    return replace(inputs, offsets=known + OFF * noise * (known != 0))


def relations_loss(head: ValueHead, rows: LookedRows, batch: int, iteration: int) -> Tensor:
    """`frames_loss` of a batch that is the same for the same iteration."""
    rng = torch.Generator().manual_seed(iteration)
    looked, samples = rows.batch(batch, rng)
    samples = replace(samples, inputs=_misplaced(samples.inputs, rng))
    return loss_of(head, head.logits_of(looked, samples.inputs).float(), samples)
