# SPDX-License-Identifier: Apache-2.0
"""Collect episodes of the simulated cell: images, poses, joints, object places, segments."""

from __future__ import annotations

import json
import multiprocessing
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from vidplan_core.errors import ConfigError
from vidplan_core.knobs import knob
from vidplan_sim.render.cameras import VIEWS
from vidplan_training.collect.leaders import EXPERT, LEADERS, OF_MODELS
from vidplan_training.engine.progress_log import ProgressLog
from vidplan_training.settings.knobs import Settings, required

EVALUATION_SEEDS = 1_000_000
SEGMENTATION_EVERY = 6
HEIGHT, WIDTH = 96, 160
NO_AIM = -1
MIXES = ('free', 'contact', 'fold')
FOLD_FRAMES = 48  # that a demonstration of a fold needs


@dataclass(frozen=True, kw_only=True)
class CollectSettings(Settings):
    """Record episodes of the simulated cell; seeds from a million up are for evaluation."""

    out: Path = required('folder to write')
    episodes: int = knob(3000, 'to record', low=1)
    frames: int = knob(20, 'per episode, at 5 Hz', low=1)
    shard: int = knob(50, 'episodes per shard', low=1)
    seed: int = knob(0, 'of the first episode', low=0)
    workers: int = knob(1, 'processes that record', low=1)
    mix: str = knob(
        MIXES[0],
        'free motion with some picks, attempts that touch and branches, or folds of a towel',
        choices=MIXES,
    )
    policy: Path | None = knob(
        None,
        'models folder that leads contact episodes, while the expert says what it would have done',
    )
    leader: str = knob(
        EXPERT,
        'of contact episodes: attempts and branches of the expert, free motion with some picks, '
        'the policy of --policy alone, or planning with its models on either policy',
        choices=LEADERS,
    )
    evaluation: bool = knob(False, 'for evaluation: seeds from a million up')
    unseen: str | None = knob(
        None,
        'scenes with what no training scene has; with evaluation only',
        choices=('objects', 'lights'),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.evaluation != (self.seed + self.episodes > EVALUATION_SEEDS):
            raise ConfigError(
                f'seeds below {EVALUATION_SEEDS} are for training, the others for --evaluation '
                'only'
            )
        if self.leader != EXPERT and self.mix != 'contact':
            raise ConfigError(f'{self.leader} leads contact episodes only: add --mix contact')
        if (self.leader in OF_MODELS) != (self.policy is not None):
            raise ConfigError(
                f'leader is {self.leader}, policy {self.policy}; the models of --policy FOLDER '
                'lead with --leader policy or planning'
            )
        if self.mix == 'fold' and self.frames < FOLD_FRAMES:
            raise ConfigError(
                f'frames is {self.frames}; a fold needs {FOLD_FRAMES} or more: add --frames '
                f'{FOLD_FRAMES}'
            )
        if self.unseen and self.mix != 'free':
            raise ConfigError('unseen objects and lights are for --mix free only')
        if self.unseen and not self.evaluation:
            raise ConfigError('unseen objects and lights are for --evaluation only')


class ShardRecorder(Protocol):
    """Whoever records episodes."""

    def record(self, seed: int, frames: int) -> dict[str, np.ndarray]:
        """One episode as arrays (frames, ...)."""
        ...

    def about(self, frames: int) -> dict[str, object]:
        """What a shard says of its episodes, beside their seeds."""
        ...


def run(settings: CollectSettings) -> int:
    """Record every shard that is not complete yet, in parallel."""
    if settings.mix == 'contact':
        from vidplan_training.collect.contact.run import run_contact

        sizes = (settings.seed, settings.episodes, settings.shard, settings.frames)
        led = (settings.policy, settings.leader)
        return run_contact(settings.out, *sizes, settings.workers, *led)
    count = -(-settings.episodes // settings.shard)
    jobs = []
    for index in range(count):
        folder = settings.out / f'shard_{settings.seed // settings.shard + index:04d}'
        if not (folder / 'meta.json').exists():
            first = settings.seed + index * settings.shard
            size = min(settings.shard, settings.episodes - index * settings.shard)
            kind = (settings.mix, settings.unseen or '')
            jobs.append((folder, first, size, settings.frames, *kind))
    progress = ProgressLog('collect (shards)', count, count - len(jobs))
    context = multiprocessing.get_context('spawn')
    with context.Pool(settings.workers) as pool:
        for done, _ in enumerate(pool.imap_unordered(_record_shard, jobs), 1):
            progress.update(count - len(jobs) + done)
    return 0


def _record_shard(job: tuple[Path, int, int, int, str, str]) -> None:
    folder, first, size, frames, mix, unseen = job
    recorder = _recorder(mix, unseen)
    episodes = _episodes(recorder, range(first, first + size), frames)
    part = folder.with_suffix('.part')
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for name in next(iter(episodes.values()), {}):
        np.save(part / f'{name}.npy', np.stack([found[name] for found in episodes.values()]))
    meta: dict[str, Any] = {'seeds': list(episodes), 'frame_period_s': 0.2, 'views': list(VIEWS)}
    meta |= recorder.about(frames)
    (part / 'meta.json').write_text(json.dumps(meta))
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)


def _recorder(mix: str, unseen: str) -> ShardRecorder:
    if mix == 'fold':
        from vidplan_training.collect.fold import FoldRecorder

        return FoldRecorder()
    return EpisodeRecorder(unseen)


def _episodes(
    recorder: ShardRecorder, seeds: Iterable[int], frames: int
) -> dict[int, dict[str, np.ndarray]]:
    """Episodes by seed, without scenes out of reach and those whose physics fails."""
    from vidplan_sim.arm.kinematics import UnreachablePose
    from vidplan_sim.cell import SimulationDiverged

    found = {}
    for seed in seeds:
        try:
            found[seed] = recorder.record(seed, frames)
        except (UnreachablePose, SimulationDiverged) as error:
            print(f'left out seed {seed}: {str(error)[-60:]}', flush=True)
    return found


class EpisodeRecorder:
    """Runs one behaviour in one scene after the other and records what is seen at 5 Hz."""

    def __init__(self, unseen: str = '') -> None:
        """Record scenes like those of training, or with what is `unseen` there."""
        from vidplan_sim.cell import Cell
        from vidplan_sim.objects.everyday import KINDS
        from vidplan_sim.objects.unseen import UNSEEN_NAMES

        self.unseen = unseen
        self.cell = Cell(unseen=unseen == 'objects')
        extra = UNSEEN_NAMES if unseen == 'objects' else ()
        self.kinds = list(dict.fromkeys([*(kind.name for kind in KINDS), 'bowl', *extra]))

    def record(self, seed: int, frames: int) -> dict[str, np.ndarray]:
        """One episode as arrays (frames, ...).

        `aim` is the number of the kind that the arm goes for, `NO_AIM` where for none.
        """
        from vidplan_sim.scene import random_scene
        from vidplan_training.collect.behaviours import choose
        from vidplan_training.collect.motion import Motion

        rng = np.random.default_rng([seed, 7])
        self.cell.reset(random_scene(seed, unseen=self.unseen))
        behaviour = choose(rng, list(self.cell.truth()))
        motion = Motion(self.cell)
        rows: list[dict[str, np.ndarray]] = []
        for frame in range(frames):
            if frame % 2 == 0:
                decision = behaviour(rng, motion.tcp, self.cell.truth())
                motion.start(decision)
            aim = self.kinds.index(behaviour.aim) if behaviour.aim else NO_AIM
            rows.append(self._look(frame) | {'aim': np.asarray(aim, np.int16)})
            self.cell.step(0.2)
        names = rows[0].keys()
        return {n: np.stack([row[n] for row in rows if n in row]) for n in names}

    def about(self, frames: int) -> dict[str, object]:
        """What a shard says of its episodes, beside their seeds."""
        return {
            'kinds': self.kinds,
            'segment_names': list(self.cell.segment_names),
            'segmentation_frames': list(range(0, frames, SEGMENTATION_EVERY)),
        }

    def _look(self, frame: int) -> dict[str, np.ndarray]:
        images = self.cell.render()
        position, quaternion = self.cell.flange_pose()
        truth = self.cell.truth()
        nowhere = np.full(3, np.nan)
        row = {
            'images': np.stack([_small(image) for image in images.values()]),
            'position': position.astype(np.float32),
            'quaternion': quaternion.astype(np.float32),
            'closedness': np.asarray(self.cell.closedness, np.float32),
            'q': self.cell.q.astype(np.float32),
            'objects': np.stack([truth.get(k, nowhere) for k in self.kinds]).astype(np.float32),
        }
        if frame % SEGMENTATION_EVERY == 0:
            segments = self.cell.segmentation().values()
            # The centre pixel of each 2x2 block: labels cannot be averaged.
            row['segmentation'] = np.stack([s[1::2, 1::2] for s in segments]).astype(np.uint8)
        return row


def _small(image: np.ndarray) -> np.ndarray:
    return cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
