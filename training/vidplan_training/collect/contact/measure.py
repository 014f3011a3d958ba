# SPDX-License-Identifier: Apache-2.0
"""The measure of a set of contact episodes: closings, held, by kind and by flaw."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from vidplan_training.collect.contact.flaws import FLAWS

CLOSED = 0.999  # commanded
LATER = 4  # frames after which a closing has held or not


class ContactShard(Protocol):
    """A shard, as far as it is measured."""

    @property
    def meta(self) -> dict[str, Any]:
        """What the shard holds."""
        ...

    def array(self, name: str) -> np.ndarray:
        """One of its arrays, (episodes, frames, ...)."""
        ...


@dataclass(frozen=True)
class _Folder:
    folder: Path
    meta: dict[str, Any]

    def array(self, name: str) -> np.ndarray:
        return np.load(self.folder / f'{name}.npy', mmap_mode='r')


@dataclass(frozen=True)
class Closing:
    """A closing of the gripper: the frame in which it is over, and what it came to."""

    frame: int
    held: int
    target: int
    flaw: int


def closings(episode: dict[str, np.ndarray]) -> list[Closing]:
    """All closings of an episode (frames, ...) that are seen to their end."""
    over = episode['commanded'] >= CLOSED
    found = []
    for frame in np.flatnonzero(over[1:] & ~over[:-1]) + 1:
        if frame + 1 >= len(over):
            continue
        held = int(episode['held'][frame + 1])
        target, flaw = int(episode['target'][frame]), int(episode['flaw'][frame])
        found.append(Closing(int(frame), held, target, flaw))
    return found


def measure(found: Sequence[ContactShard]) -> dict[str, Any]:
    """Counts of a set's shards."""
    every, by_kind, by_flaw = Counter[str](), Counter[str](), Counter[str]()
    held_kind, held_flaw = Counter[str](), Counter[str]()
    for shard in found:
        arrays = {n: shard.array(n) for n in ('commanded', 'held', 'target', 'flaw')}
        branches = bool(shard.meta.get('branches'))
        every['branches' if branches else 'episodes'] += len(shard.meta['seeds'])
        every['frames'] += arrays['commanded'].size
        for number in range(len(shard.meta['seeds'])):
            for closing in closings({n: a[number] for n, a in arrays.items()}):
                kind = shard.meta['kinds'][closing.target] if closing.target >= 0 else 'none'
                flaw = FLAWS[closing.flaw] if closing.flaw >= 0 else 'others'
                every['closings'] += 1
                by_kind[kind] += 1
                by_flaw[flaw] += 1
                if closing.held >= 0:
                    every['held'] += 1
                    held_kind[kind] += 1
                    held_flaw[flaw] += 1
    return {
        **every,
        'by_kind': {k: [held_kind[k], n] for k, n in sorted(by_kind.items())},
        'by_flaw': {k: [held_flaw[k], n] for k, n in sorted(by_flaw.items())},
    }


def measure_of(data: Path) -> dict[str, Any]:
    """Counts of a folder of shards."""
    found = sorted(data.glob('shard_*/meta.json'))
    return measure([_Folder(path.parent, json.loads(path.read_text())) for path in found])


def table(counts: dict[str, Any]) -> str:
    """The counts as lines of text."""
    lines = [f'{name:12s} {n}' for name, n in counts.items() if not isinstance(n, dict)]
    for name in ('by_kind', 'by_flaw'):
        lines.append(f'{name}: held of closings')
        lines += [f'  {k:16s} {held:5d} {n:5d}' for k, (held, n) in counts[name].items()]
    return '\n'.join(lines)
