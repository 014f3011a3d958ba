# SPDX-License-Identifier: Apache-2.0
"""How far imagination drifts when it is fed back: many chunks in a row, recorded actions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vidplan_core.data.video_file import VideoWriter
from vidplan_core.metrics.perceptual import FeatureDistance
from vidplan_core.metrics.perceptual_networks import load_feature_distance
from vidplan_core.world_model.checkpoint import load_world_model
from vidplan_core.world_model.config import WorldModelConfig
from vidplan_core.world_model.sampling.sampler import SamplingConfig
from vidplan_core.world_model.world_model import WorldModel
from vidplan_training.data.robot_shards import as_shards
from vidplan_training.engine.progress_log import ProgressLog
from vidplan_training.evaluation.clips import (
    Clip,
    ClipPlace,
    episode_frames,
    held_out_shards,
    load_clip,
)
from vidplan_training.evaluation.figures.pictures import Columns, grid, title_of
from vidplan_training.evaluation.figures.table import Summary, Table, rounded
from vidplan_training.evaluation.measures import PictureComparison
from vidplan_training.evaluation.report import report
from vidplan_training.evaluation.sampling import Stopwatch, sampling_of
from vidplan_training.evaluation.settings import EvaluateRollout
from vidplan_training.evaluation.world_model import conditions

RESAMPLES = 500
VIDEO_EPISODES = 3


def long_places(data: Path, episodes: int, frames: int, seed: int) -> list[ClipPlace]:
    """Starts of seeded episodes that have so many frames.

    Raises:
        ValueError: no episode is that long.
    """
    found = [
        ClipPlace(shard, episode, 0, 0)
        for shard in held_out_shards(data)
        if episode_frames(shard) >= frames
        for episode in range(shard.episodes)
    ]
    if not found:
        raise ValueError(
            f'no held-out episode of {data} has {frames} frames; record some with '
            f'`vidplan-train collect --frames {frames} --seed 1000000 --evaluation`'
        )
    order = np.random.default_rng([seed, 17]).permutation(len(found))[:episodes]
    return [
        ClipPlace(found[index].shard, found[index].episode, 0, number)
        for number, index in enumerate(order.tolist())
    ]


@dataclass
class LongRollout:
    """One run over long episodes: the model, what it is compared by, what has been measured."""

    model: WorldModel
    distance: FeatureDistance
    samplings: dict[str, SamplingConfig]
    seed: int
    table: Table
    watch: Stopwatch

    @property
    def new(self) -> int:
        """New frames per chunk."""
        return self.model.config.frames - 1

    def modes(self, clip: Clip, seed: int) -> dict[str, Iterator[Tensor]]:
        """Pictures (new frames, views, 3, height, width), chunk after chunk, of every mode."""
        sampled = {name: self._sampled(name, clip, seed) for name in self.samplings}
        return {
            **sampled,
            'reconstruction': self._reconstructed(clip),
            'copy_first': self._copied(clip),
        }

    def _sampled(self, name: str, clip: Clip, seed: int) -> Iterator[Tensor]:
        model, device = self.model, self.model.mean.device
        past, future = clip.past.to(device), clip.future.to(device)
        context = model.context(clip.images[None, : clip.history].to(device), past)
        for number in range((future.frames - 1) // self.new):
            chunk = future.part(slice(number * self.new, (number + 1) * self.new + 1))
            work = partial(
                model.rollout, context, chunk, seed=seed + number, sampling=self.samplings[name]
            )
            latents = self.watch.time(name, work)
            yield model.decode(latents[:, 1:])[0].float()
            context = model.advance(context, latents, chunk, self.new)

    def _reconstructed(self, clip: Clip) -> Iterator[Tensor]:
        images = clip.images[clip.history :].to(self.model.mean.device)
        for part in images.split(self.new):
            yield self.model.decode(self.model.encode(part[None]))[0].float()

    def _copied(self, clip: Clip) -> Iterator[Tensor]:
        real = clip.views(len(self.model.config.views)).to(self.model.mean.device)
        for part in real[clip.history :].split(self.new):
            yield real[clip.history - 1].expand_as(part)

    def episode(self, place: ClipPlace, clip: Clip) -> Iterator[Columns]:
        """Imagine an episode, count it, and yield what a video shows of every frame."""
        real = clip.views(len(self.model.config.views)).to(self.model.mean.device)
        first = real[clip.history - 1]
        modes = self.modes(clip, (self.seed * 1_000_003 + place.number) * 1000)
        measures: dict[str, list[np.ndarray]] = {name: [] for name in modes}
        for actual in real[clip.history :].split(self.new):
            comparison = PictureComparison(actual, first, self.distance)
            pictures = {name: next(mode) for name, mode in modes.items()}
            for name, shown in pictures.items():
                measures[name].append(comparison.measure(shown))
            for frame, happened in enumerate(actual):
                imagined = {name: pictures[name][frame] for name in self.samplings}
                yield {'what happened': happened, **imagined}
        for name, parts in measures.items():
            self.table.add(name, np.concatenate(parts, axis=2), place.number)

    def result(self, episodes: int, frames: int) -> Summary:
        """Everything, as it goes into the json file."""
        period_s = self.model.config.frame_period_s
        timed = {
            name: {**self.table.curve(name), 's_per_chunk': rounded(self.watch.median_s(name))}
            for name in self.samplings
        }
        return {
            'episodes': episodes,
            'frames': frames,
            'seed': self.seed,
            'seconds': [round(period_s * (k + 1), 3) for k in range(frames)],
            'steps': {str(sampling.steps): timed[n] for n, sampling in self.samplings.items()},
            'reconstruction': self.table.curve('reconstruction'),
            'copy_first': self.table.curve('copy_first'),
            'deep_feature_network': {'name': self.distance.name, **self.distance.details},
        }


def run(settings: EvaluateRollout) -> int:
    """Evaluate and report."""
    return report(evaluate_rollout, settings)


@torch.no_grad()
def evaluate_rollout(settings: EvaluateRollout) -> Summary:
    """Imagine long episodes chunk by chunk and compare every frame with what happened.

    Raises:
        ModelError: the model or the features to compare in are missing.
        ValueError: no held-out episode is long enough.
    """
    model = load_world_model(settings.models, settings.device)
    frames = settings.chunks * (model.config.frames - 1)
    folder = as_shards(settings, model.config)
    chosen = long_places(folder, settings.episodes, frames + 1, settings.seed)
    run = LongRollout(
        model,
        load_feature_distance(settings.features, settings.models, settings.device),
        {
            title_of(n): sampling_of(n, settings.guidance, settings.temperature)
            for n in sorted(set(settings.steps), reverse=True)
        },
        settings.seed,
        Table(model.config.views, RESAMPLES, settings.seed),
        Stopwatch(torch.device(settings.device)),
    )
    _go_through(run, chosen, frames, settings.video)
    result = {**run.result(len(chosen), frames), 'settings': conditions(settings)}
    if settings.plot:
        from vidplan_training.evaluation.figures.plot import plot_drift

        plot_drift(result, settings.plot)
    return result


def _go_through(
    run: LongRollout, chosen: list[ClipPlace], frames: int, video: Path | None
) -> None:
    config: WorldModelConfig = run.model.config
    progress = ProgressLog('evaluate (frames)', frames * len(chosen))
    writer = VideoWriter(video, 1.0 / config.frame_period_s) if video else None
    for number, place in enumerate(chosen):
        clip = load_clip(place, config, frames + 1)
        for frame, columns in enumerate(run.episode(place, clip)):
            if writer and number < VIDEO_EPISODES:
                writer.add(np.asarray(grid(columns)))
            progress.update(number * frames + frame + 1)
    if writer:
        writer.close()
