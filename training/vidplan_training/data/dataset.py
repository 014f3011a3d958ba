# SPDX-License-Identifier: Apache-2.0
"""Recorded cell episodes on disk: shards of memory-mapped arrays.

A shard is complete when its `meta.json` exists. The last tenth of all episodes, by shard
order, is held out for validation and never trained on; shards of other data say themselves
whether they are held out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

HELD_OUT = 10


@dataclass(frozen=True)
class Shard:
    """One folder of episodes; arrays are memory-mapped on first use."""

    folder: Path
    meta: dict[str, Any]

    def array(self, name: str) -> np.ndarray:
        """Array `name`.npy, (episodes, frames, ...)."""
        return np.load(self.folder / f'{name}.npy', mmap_mode='r')

    def has(self, name: str) -> bool:
        """Whether array `name`.npy is there."""
        return (self.folder / f'{name}.npy').exists()

    @property
    def episodes(self) -> int:
        """Number of episodes."""
        return len(self.meta['seeds'])

    @property
    def branches(self) -> int:
        """Episodes in a row that share their moment; 0 for one that holds no branch sets."""
        return int(self.meta.get('branches', 0))


def is_held_out(number: int) -> bool:
    """Whether the shard of a number is held out: every tenth."""
    return number % HELD_OUT == HELD_OUT - 1


def shards(data: Path) -> list[Shard]:
    """Complete shards in order; raises FileNotFoundError when there is none."""
    found = [
        Shard(path.parent, json.loads(path.read_text()))
        for path in sorted(data.glob('shard_*/meta.json'))
    ]
    if not found:
        raise FileNotFoundError(f'no complete shard in {data}; run `vidplan-train collect` first')
    return found


def split(data: Path, held_out: bool) -> list[Shard]:
    """Training shards, or the held-out ones (every tenth, at least one)."""
    every = shards(data)
    chosen = [
        s for i, s in enumerate(every) if s.meta.get('held_out', is_held_out(i)) == held_out
    ]
    return chosen or every[-1:]


def batches_of(array: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Consecutive slices of at most `size` rows."""
    for start in range(0, len(array), size):
        yield array[start : start + size]
