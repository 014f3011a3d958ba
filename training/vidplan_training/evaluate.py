# SPDX-License-Identifier: Apache-2.0
"""Offline evaluation of trained models on episodes that they never saw."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vidplan_core.action import PoseChunk
from vidplan_core.metrics import moving_psnr, psnr
from vidplan_core.se3 import quaternion_to_matrix
from vidplan_core.statistics import bootstrap_interval
from vidplan_core.world_model.checkpoint import load_world_model
from vidplan_core.world_model.world_model import Context, WorldModel
from vidplan_training.dataset import Shard, shards
from vidplan_training.progress import Progress

CLIPS_PER_EPISODE = 2


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Declare `vidplan-train evaluate`."""
    parser = subparsers.add_parser('evaluate', help='evaluate a trained model offline')
    parser.add_argument('what', choices=['world-model'])
    parser.add_argument('--data', type=Path, required=True, help='episodes of evaluation seeds')
    parser.add_argument('--models', type=Path, default=Path('models/cell'))
    parser.add_argument('--episodes', type=int, default=100)
    parser.add_argument('--steps', type=int, nargs='+', default=[1, 2, 4])
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--json', type=Path)


class Clip:
    """One clip of an episode: images of past and future, and all poses."""

    def __init__(self, shard: Shard, episode: int, present: int, model: WorldModel) -> None:
        history, frames = model.config.history_frames, model.config.frames
        index = np.maximum(np.arange(present - history + 1, present + frames), 0)
        images = np.array(shard.array('images')[episode][index])
        self.images = torch.from_numpy(images).flatten(1, 2)  # (frames, views*height, width, 3)
        self.position = _tensor(shard.array('position')[episode][index])
        self.rotation = quaternion_to_matrix(_tensor(shard.array('quaternion')[episode][index]))
        self.closedness = _tensor(shard.array('closedness')[episode][index])
        self.history = history

    def poses(self, first: int, last: int | None) -> PoseChunk:
        """Poses of the frames first .. last as a chunk of one."""
        part = slice(first, last)
        return PoseChunk(
            self.position[None, part], self.rotation[None, part], self.closedness[None, part]
        )

    @property
    def future(self) -> PoseChunk:
        """Poses from the present on."""
        return self.poses(self.history - 1, None)


def clips_of(data: Path, episodes: int, model: WorldModel, seed: int) -> list[Clip]:
    """Seeded clips, two per episode."""
    rng = np.random.default_rng([seed, 5])
    chosen = []
    for shard in shards(data):
        for episode in range(shard.episodes):
            length = shard.array('position').shape[1] - model.config.frames + 1
            for present in rng.choice(np.arange(1, length), CLIPS_PER_EPISODE, replace=False):
                chosen.append(Clip(shard, episode, int(present), model))
    return chosen[: CLIPS_PER_EPISODE * episodes]


class Table:
    """PSNR per view and frame ahead, of several ways to predict, clip by clip."""

    def __init__(self, model: WorldModel) -> None:
        self._model = model
        self._rows: dict[str, list[np.ndarray]] = {}
        self._moving: dict[str, list[np.ndarray]] = {}

    def add(self, name: str, predicted: Tensor, actual: Tensor, present: Tensor) -> None:
        """Images (frames, views, 3, height, width) in [0, 1] of the new frames."""
        self._rows.setdefault(name, []).append(psnr(predicted, actual).numpy())
        moved = moving_psnr(predicted, actual, present.expand_as(actual))
        self._moving.setdefault(name, []).append(moved.numpy())

    def summary(self, name: str) -> dict[str, Any]:
        """Means over clips: all, by view, by frame ahead, by both, with an interval."""
        rows = np.stack(self._rows[name])  # (clips, frames, views)
        views = self._model.config.views
        by_episode = rows.mean(axis=(1, 2)).reshape(-1, CLIPS_PER_EPISODE).mean(axis=1)
        low, high = bootstrap_interval(by_episode)
        return {
            'psnr_db': _round(rows.mean()),
            'psnr_of_mean_error_db': _round(_pooled(rows)),
            'interval_95': [_round(low), _round(high)],
            'moving_psnr_db': _round(np.nanmean(np.stack(self._moving[name]))),
            'per_view': {v: _round(rows[..., i].mean()) for i, v in enumerate(views)},
            'per_frame': [_round(value) for value in rows.mean(axis=(0, 2))],
            'per_frame_and_view': {
                v: [_round(x) for x in rows[..., i].mean(axis=0)] for i, v in enumerate(views)
            },
        }

    def margin(self, name: str, other: str, view: int | None = None) -> dict[str, Any]:
        """Mean advantage in dB at the last frame over another way, with its interval."""
        pick = slice(None) if view is None else slice(view, view + 1)
        first, second = (np.stack(self._rows[n])[:, -1, pick].mean(axis=1) for n in (name, other))
        by_episode = (first - second).reshape(-1, CLIPS_PER_EPISODE).mean(axis=1)
        low, high = bootstrap_interval(by_episode)
        return {'db': _round(by_episode.mean()), 'interval_95': [_round(low), _round(high)]}

    def pooled_margin(self, name: str, other: str, view: int | None = None) -> dict[str, Any]:
        """As `margin`, of the PSNR of the mean error: still clips then weigh less."""
        pick = slice(None) if view is None else slice(view, view + 1)
        first, second = (np.stack(self._rows[n])[:, -1, pick] for n in (name, other))
        grouped = [rows.reshape(-1, CLIPS_PER_EPISODE * rows.shape[1]) for rows in (first, second)]

        def advantage(episodes: np.ndarray, axis: int = -1) -> np.ndarray:
            picked = [rows[episodes.astype(int)] for rows in grouped]
            better, worse = (_pooled(rows, axis=(axis - 1, axis)) for rows in picked)
            return better - worse

        everyone = np.arange(len(grouped[0]))
        low, high = bootstrap_interval(everyone, statistic=lambda e, axis: advantage(e))
        return {'db': _round(advantage(everyone)), 'interval_95': [_round(low), _round(high)]}


@torch.no_grad()
def evaluate_world_model(args: argparse.Namespace) -> dict[str, Any]:
    """PSNR against copying, reconstruction, and the same model with another clip's actions."""
    model = load_world_model(args.models)
    clips = clips_of(args.data, args.episodes, model, args.seed)
    if len(clips) < 2 * CLIPS_PER_EPISODE:
        raise ValueError(f'{args.data} holds too few episodes; collect at least 2')
    table, progress = Table(model), Progress('evaluate (clips)', len(clips))
    for number, clip in enumerate(clips):
        other = clips[(number + CLIPS_PER_EPISODE) % len(clips)]
        _compare(model, clip, other, table, args.steps, args.seed)
        progress.update(number + 1)
    steps = {str(n): table.summary(f'steps_{n}') for n in args.steps}
    first = f'steps_{args.steps[0]}'
    wrist = model.config.views.index('wrist')
    return {
        'episodes': len(clips) // CLIPS_PER_EPISODE,
        'clips': len(clips),
        'seed': args.seed,
        'steps': steps,
        'copy_last': table.summary('copy_last'),
        'reconstruction': table.summary('reconstruction'),
        'other_actions': table.summary('other_actions'),
        'over_copy_at_4': table.margin(first, 'copy_last'),
        'over_copy_at_4_wrist': table.margin(first, 'copy_last', wrist),
        'over_copy_at_4_pooled': table.pooled_margin(first, 'copy_last'),
        'over_copy_at_4_wrist_pooled': table.pooled_margin(first, 'copy_last', wrist),
        'over_other_actions_at_4': table.margin(first, 'other_actions'),
    }


def _compare(
    model: WorldModel, clip: Clip, other: Clip, table: Table, steps: list[int], seed: int
) -> None:
    history = clip.history
    latents = model.encode(clip.images[None])
    context = Context(latents[:, :history], clip.poses(0, history))
    pictures: dict[str, Callable[[], Tensor]] = {
        f'steps_{n}': lambda n=n: model.rollout(context, clip.future, n, seed)[:, 1:]
        for n in steps
    }
    borrowed = graft(clip.future, other.future)
    pictures['other_actions'] = lambda: model.rollout(context, borrowed, steps[0], seed)[:, 1:]
    pictures['reconstruction'] = lambda: latents[:, history:]
    decoded = {name: model.decode(make())[0].float() for name, make in pictures.items()}
    views = len(model.config.views)
    real = clip.images.unflatten(1, (views, -1)).permute(0, 1, 4, 2, 3).float() / 255.0
    present, actual = real[history - 1], real[history:]
    decoded['copy_last'] = present.expand_as(actual)
    for name, predicted in decoded.items():
        table.add(name, predicted, actual, present)


def graft(chunk: PoseChunk, other: PoseChunk) -> PoseChunk:
    """The motion of another chunk, begun at the present of this one."""
    position = chunk.position[:, :1] + other.position - other.position[:, :1]
    turn = other.rotation @ other.rotation[:, :1].mT
    return PoseChunk(position, turn @ chunk.rotation[:, :1], other.closedness)


def run(args: argparse.Namespace) -> int:
    """Evaluate and write the result."""
    result = evaluate_world_model(args)
    text = json.dumps(result, indent=1)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(text + '\n')
    print(text)
    return 0


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(values)).float()


def _pooled(decibel: np.ndarray, axis: int | tuple[int, ...] | None = None) -> np.ndarray:
    """PSNR of the mean squared error, from the PSNR of each image."""
    return -10.0 * np.log10((10.0 ** (-decibel / 10.0)).mean(axis=axis))


def _round(value: float) -> float:
    return round(float(value), 3)
