# SPDX-License-Identifier: Apache-2.0
"""A folder of recorded endings, one file a scene; what is there already is not recorded again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidplan_eval.suites.workers import share_out
from vidplan_sim.cell import SimulationDiverged
from vidplan_training.collect.endings import EndingRecorder
from vidplan_training.engine.progress_log import ProgressLog

Ending = dict[str, np.ndarray]


def ending_file(folder: Path, seed: int) -> Path:
    """Where the ending of a scene is; it has no arrays where nothing was recorded."""
    return folder / f'ending_{seed}.npz'


@dataclass(frozen=True)
class EndingWork:
    """What a process makes once, and the scenes that it then records into a folder."""

    folder: Path

    def __call__(self) -> Callable[[int], int]:
        """Make a cell; returns what records the scene of a seed."""
        recorder = EndingRecorder()

        def run(seed: int) -> int:
            try:
                found = recorder.record(seed) or {}
            except SimulationDiverged:
                found = {}
            write_ending(ending_file(self.folder, seed), found)
            return seed

        return run


def write_ending(file: Path, ending: Ending) -> None:
    """Write a file; it is complete once it bears its name."""
    part = file.with_suffix('.part')
    with part.open('wb') as stream:
        np.savez(stream, **ending)  # type: ignore[arg-type]  # its stub knows no plain dict
    part.replace(file)


def record_endings(folder: Path, seeds: Sequence[int], workers: int) -> None:
    """Record the scenes that a folder lacks."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [seed for seed in seeds if not ending_file(folder, seed).exists()]
    progress = ProgressLog('endings (scenes)', len(missing))
    done = share_out(EndingWork(folder), missing, workers) if missing else ()
    for number, _ in enumerate(done, 1):
        progress.update(number)


def read_ending(folder: Path, seed: int) -> Ending | None:
    """The ending of a scene; None where nothing was recorded."""
    with np.load(ending_file(folder, seed)) as arrays:
        return dict(arrays) if arrays.files else None
