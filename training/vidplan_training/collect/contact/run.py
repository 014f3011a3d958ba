# SPDX-License-Identifier: Apache-2.0
"""Shards of contact episodes and of branch sets, recorded in parallel and resumable."""

from __future__ import annotations

import json
import multiprocessing
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from vidplan_sim.cell import SimulationDiverged
from vidplan_sim.render.cameras import VIEWS
from vidplan_training.collect.contact.branches import BRANCHES, BranchRecorder
from vidplan_training.collect.contact.episode import ContactRecorder
from vidplan_training.collect.contact.flaws import FLAWS
from vidplan_training.collect.contact.measure import measure_of, table
from vidplan_training.collect.contact.on_policy import OnPolicyRecorder
from vidplan_training.collect.contact.placing import PLACING_FRAMES, PlacingRecorder
from vidplan_training.collect.leaders import EXPERT, FREE
from vidplan_training.engine.progress_log import ProgressLog

FRAMES = 48
CLOSINGS_PER_SCENE = 3
WAYS_PER_SHARD = 1  # in the first scenes of a shard of episodes


@dataclass(frozen=True)
class Job:
    """One shard: seeds of its scenes, and what is recorded in them."""

    folder: Path
    first: int
    count: int
    frames: int
    branches: bool
    closings: bool = False
    placings: bool = False
    policy: Path | None = None  # models folder that leads
    leader: str = EXPERT  # or what of the folder does: one of `on_policy.LEADERS`, or FREE

    @property
    def whole(self) -> bool:
        """Whether episodes are recorded, not parts of them."""
        return not (self.branches or self.closings or self.placings)


def jobs(out: Path, seed: int, episodes: int, shard: int, frames: int) -> list[Job]:
    """Shards of episodes, with one of branches, one of closings and one of placings for each.

    The same for the same arguments.
    """
    found = []
    for index in range(-(-episodes // shard)):
        number, first = seed // shard + index, seed + index * shard
        size = min(shard, episodes - index * shard)
        folder, ways = out / f'shard_{number:05d}', min(size, WAYS_PER_SHARD)
        found.append(Job(folder, first, size, frames, False))
        found.append(Job(folder.with_name(f'{folder.name}_b'), first, ways, frames, True))
        closings = Job(folder.with_name(f'{folder.name}_c'), first, size, frames, False, True)
        found.append(closings)
        placings = folder.with_name(f'{folder.name}_p')
        found.append(Job(placings, first, size, PLACING_FRAMES, False, placings=True))
    return found


def led_jobs(
    out: Path, seed: int, episodes: int, shard: int, frames: int, policy: Path | None, leader: str
) -> list[Job]:
    """Shards of whole episodes that somebody leads: a policy, planning, or free motion."""
    whole = jobs(out, seed, episodes, shard, frames)
    return [replace(job, policy=policy, leader=leader) for job in whole if job.whole]


def collect(
    todo: Sequence[Job], workers: int, stop_at: float = float('inf')
) -> Iterator[Path]:
    """Record what is not complete yet; yields folders as they become complete.

    Args:
        todo: the shards.
        workers: processes.
        stop_at: `time.time()` after which no shard is begun.
    """
    missing = [job for job in todo if not (job.folder / 'meta.json').exists()]
    yield from (job.folder for job in todo if job not in missing)
    if not missing:
        return
    context = multiprocessing.get_context('spawn')
    with context.Pool(workers, initializer=_begin) as pool:
        for folder in pool.imap_unordered(_record, [(job, stop_at) for job in missing]):
            if folder is not None:
                yield folder


def run_contact(
    out: Path, seed: int, episodes: int, shard: int, frames: int, workers: int,
    policy: Path | None = None, leader: str = EXPERT,
) -> int:  # fmt: skip
    """`vidplan-train collect --mix contact`."""
    todo = jobs(out, seed, episodes, shard, frames)
    if leader != EXPERT:
        todo = led_jobs(out, seed, episodes, shard, frames, policy, leader)
    progress = ProgressLog('collect (shards)', len(todo))
    for finished, _ in enumerate(collect(todo, workers), 1):
        progress.update(finished)
    counts = measure_of(out)
    (out / 'measure.json').write_text(json.dumps(counts, indent=1) + '\n')
    print(table(counts), flush=True)
    return 0


_recorders: dict[tuple[bool, bool, Path | None, str], Any] = {}


def _begin() -> None:
    import torch

    torch.set_num_threads(1)


def _record(work: tuple[Job, float]) -> Path | None:
    job, stop_at = work
    if time.time() > stop_at:
        return None
    recorder = _recorders.get(_kind(job)) or _made(job)
    seeds = range(job.first, job.first + job.count)
    episodes: list[dict[str, np.ndarray]] = []
    for seed in seeds:
        try:
            found = _recorded(recorder, job, seed)
        except SimulationDiverged as error:
            print(f'left out seed {seed}: {str(error)[-60:]}', flush=True)
            continue
        episodes += found
    if not episodes:
        return None
    write_shard(job, episodes, recorder.kinds)
    return job.folder


def _made(job: Job) -> Any:
    recorder = (
        BranchRecorder() if job.branches
        else PlacingRecorder() if job.placings
        else ContactRecorder() if job.policy is None
        else OnPolicyRecorder(job.policy, job.leader)
    )  # fmt: skip
    _recorders[_kind(job)] = recorder
    return recorder


def _kind(job: Job) -> tuple[bool, bool, Path | None, str]:
    """What has a recorder of its own."""
    return job.branches, job.placings, job.policy, job.leader


def _recorded(recorder: Any, job: Job, seed: int) -> list[dict[str, np.ndarray]]:
    if job.branches:
        return list(recorder.record(seed))
    if job.whole:
        record = recorder.record_free if job.leader == FREE else recorder.record
        return [record(seed, job.frames)]
    if job.placings:
        way = recorder.record_placing(seed, job.frames)
        return [] if way is None else [way]
    found = (recorder.record_closing(seed, number) for number in range(CLOSINGS_PER_SCENE))
    return [episode for episode in found if episode is not None]


def write_shard(job: Job, episodes: list[dict[str, np.ndarray]], kinds: list[str]) -> None:
    """Write a shard; it is complete once it bears its name."""
    part = job.folder.with_suffix('.part')
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for name in episodes[0]:
        np.save(part / f'{name}.npy', np.stack([episode[name] for episode in episodes]))
    meta = {
        'seeds': list(range(len(episodes))),
        'scenes': [job.first, job.count],
        'kinds': kinds,
        'flaws': list(FLAWS),
        'branches': BRANCHES if job.branches else 0,
        'frame_period_s': 0.2,
        'views': list(VIEWS),
    }  # fmt: skip
    (part / 'meta.json').write_text(json.dumps(meta))
    shutil.rmtree(job.folder, ignore_errors=True)
    part.rename(job.folder)
