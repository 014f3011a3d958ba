# SPDX-License-Identifier: Apache-2.0
"""A folder with a file for every recorded scene; what is there already is not recorded again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from vidplan_eval.suites.workers import share_out
from vidplan_sim.cell import SimulationDiverged
from vidplan_training.engine.progress_log import ProgressLog

Recorded = dict[str, np.ndarray]


class SceneRecorder(Protocol):
    """Records one scene after the other."""

    def record(self, seed: int) -> Recorded | None:
        """Arrays of the scene of a seed; None where there is nothing to record."""
        ...


@dataclass(frozen=True)
class SceneFiles:
    """Scenes by seed in a folder.

    Attributes:
        folder: where they are.
        stem: how their names begin.
        recorder: makes what records them, once in every process.
    """

    folder: Path
    stem: str
    recorder: Callable[[], SceneRecorder]

    def file(self, seed: int) -> Path:
        """Where a scene is; the file has no arrays where nothing was recorded."""
        return self.folder / f'{self.stem}_{seed}.npz'

    def read(self, seed: int) -> Recorded | None:
        """A recorded scene; None where there was nothing to record."""
        with np.load(self.file(seed)) as arrays:
            return dict(arrays) if arrays.files else None

    def write(self, seed: int, found: Recorded) -> None:
        """Write a scene; its file is complete once it bears its name."""
        part = self.file(seed).with_suffix('.part')
        with part.open('wb') as stream:
            np.savez(stream, **found)  # type: ignore[arg-type]  # its stub knows no plain dict
        part.replace(self.file(seed))

    def record(self, seeds: Sequence[int], workers: int) -> None:
        """Record the scenes that the folder lacks, with so many processes."""
        self.folder.mkdir(parents=True, exist_ok=True)
        missing = [seed for seed in seeds if not self.file(seed).exists()]
        progress = ProgressLog(f'{self.stem} (scenes)', len(missing))
        done = share_out(self, missing, workers) if missing else ()
        for number, _ in enumerate(done, 1):
            progress.update(number)

    def __call__(self) -> Callable[[int], int]:
        """Return what records and writes the scene of a seed, for one process."""
        recorder = self.recorder()

        def run(seed: int) -> int:
            try:
                found = recorder.record(seed) or {}
            except SimulationDiverged:
                found = {}
            self.write(seed, found)
            return seed

        return run
