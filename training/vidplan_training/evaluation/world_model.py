# SPDX-License-Identifier: Apache-2.0
"""How good and how fast the world model imagines, against copying and reconstruction.

Of every clip the new frames are imagined in several modes and compared with what happened:
    steps          with few steps of the flow map, and with the guided many-step EDM sampler
    mean           the denoiser at pure noise, which is the mean of all futures
    other_actions  the fewest steps, with another clip's actions
    reconstruction the real pictures through the autoencoder, the ceiling
    copy_last      the present picture
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vidplan_core.metrics.perceptual import FeatureDistance
from vidplan_core.metrics.perceptual_networks import load_feature_distance
from vidplan_core.planner.config import PlannerConfig
from vidplan_core.world_model.checkpoint import load_world_model
from vidplan_core.world_model.sampling.sampler import MEAN, SamplingConfig
from vidplan_core.world_model.world_model import Context, WorldModel
from vidplan_training.data.robot_shards import as_shards
from vidplan_training.engine.progress_log import ProgressLog
from vidplan_training.evaluation.clips import (
    CLIPS_PER_EPISODE,
    Clip,
    ClipPlace,
    graft,
    load_clip,
    places,
)
from vidplan_training.evaluation.figures.pictures import strip, title_of, write_png
from vidplan_training.evaluation.figures.table import Summary, Table, rounded
from vidplan_training.evaluation.measures import PictureComparison
from vidplan_training.evaluation.report import report
from vidplan_training.evaluation.sampling import TEACHER_STEPS, Stopwatch, sampling_of
from vidplan_training.evaluation.settings import EvaluateWorldModel, ImaginationSettings

REPORTED_SPEEDUPS = (1, 2, 4)
PICTURED = (50, 4, 2, 1)


@dataclass
class Evaluation:
    """One run: the model, what it is compared by, and what has been measured so far."""

    model: WorldModel
    distance: FeatureDistance
    steps: Sequence[int]
    guidance: Sequence[float]
    temperature: float
    seed: int
    table: Table
    watch: Stopwatch
    chosen: dict[int, Path] = field(default_factory=dict)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.mean.device

    def warm_up(self, clip: Clip) -> None:
        """Sample once in every mode, so that no first call is timed."""
        context = self._context(clip)
        for sampling in self._samplings().values():
            self._imagine(context, clip, sampling, 0)

    def compare(self, number: int, place: ClipPlace, clip: Clip, other: Clip) -> None:
        """Imagine a clip in every mode and count how far each is from what happened."""
        config = self.model.config
        real = clip.views(len(config.views)).to(self.device)
        present, actual = real[clip.history - 1], real[clip.history :]
        comparison = PictureComparison(actual, present, self.distance)
        shown = {'copy_last': present.expand_as(actual)}
        for name, latents in self._imagined(number, clip, other).items():
            shown[name] = self.model.decode(latents)[0].float()
        for name, pictures in shown.items():
            self.table.add(name, comparison.measure(pictures), place.number)
        if number in self.chosen:
            steps = [n for n in PICTURED if n in self.steps] or self.steps
            imagined = {title_of(n): shown[f'steps_{n}'] for n in steps}
            write_png(strip(present, actual, imagined), self.chosen[number])

    def _imagined(self, number: int, clip: Clip, other: Clip) -> dict[str, Tensor]:
        """Latents (1, new frames, ...) of every mode."""
        context, seed = self._context(clip), self.seed * 1_000_003 + number
        found = {
            name: self.watch.time(name, partial(self._imagine, context, clip, s, seed))
            for name, s in self._samplings().items()
        }
        sampling = self._samplings()[self._planned()]
        found['other_actions'] = self._imagine(
            context, clip, sampling, seed, graft(clip.future, other.future)
        )
        new = clip.images[None, clip.history :].to(self.device)
        return {**found, 'reconstruction': self.model.encode(new)}

    def _samplings(self) -> dict[str, SamplingConfig]:
        few = {f'steps_{n}': sampling_of(n, self.guidance, self.temperature) for n in self.steps}
        return {**few, 'mean': MEAN}

    def _planned(self) -> str:
        """The mode in which the planner imagines, or else the one of the fewest steps."""
        wanted = PlannerConfig().sampling
        modes = self._samplings()
        return next((name for name, mode in modes.items() if mode == wanted), next(iter(modes)))

    def _context(self, clip: Clip) -> Context:
        images = clip.images[None, : clip.history].to(self.device)
        return self.model.context(images, clip.past.to(self.device))

    def _imagine(
        self,
        context: Context,
        clip: Clip,
        sampling: SamplingConfig,
        seed: int,
        chunk: Any = None,
    ) -> Tensor:
        future = (chunk or clip.future).to(self.device)
        return self.model.rollout(context, future, seed=seed, sampling=sampling)[:, 1:]

    # What has been found

    def result(self, clips: int) -> Summary:
        """Everything, as it goes into the json file."""
        table, first = self.table, self._planned()
        wrist = self.model.config.views.index('wrist')
        return {
            'clips': clips,
            'episodes': -(-clips // CLIPS_PER_EPISODE),
            'seed': self.seed,
            'steps': {str(n): self._timed(f'steps_{n}') for n in self.steps},
            'mean': self._timed('mean'),
            'planned': first,
            **{n: table.summary(n) for n in ('copy_last', 'reconstruction', 'other_actions')},
            'speedup': self._speedup(),
            f'against_{max(self.steps)}': {
                str(n): table.against(f'steps_{n}', f'steps_{max(self.steps)}')
                for n in self.steps[:-1]
            },
            'over_copy_at_4': table.margin(first, 'copy_last'),
            'over_copy_at_4_wrist': table.margin(first, 'copy_last', wrist),
            'over_copy_at_4_pooled': table.pooled_margin(first, 'copy_last'),
            'over_copy_at_4_wrist_pooled': table.pooled_margin(first, 'copy_last', wrist),
            'over_other_actions_at_4': table.margin(first, 'other_actions'),
            'deep_feature_network': {'name': self.distance.name, **self.distance.details},
        }

    def _timed(self, name: str) -> Summary:
        seconds = rounded(self.watch.median_s(name))
        return {**self.table.summary(name), 's_per_chunk': seconds}

    def _speedup(self) -> dict[str, float | None]:
        """Of few steps over the many-step sampler with guidance, both timed in this run."""
        if TEACHER_STEPS not in self.steps:
            return {}
        slow = self.watch.median_s(f'steps_{TEACHER_STEPS}')
        few = [n for n in REPORTED_SPEEDUPS if n in self.steps]
        return {str(n): rounded(slow / self.watch.median_s(f'steps_{n}')) for n in few}


def run(settings: EvaluateWorldModel) -> int:
    """Evaluate and report."""
    return report(evaluate_world_model, settings)


@torch.no_grad()
def evaluate_world_model(settings: EvaluateWorldModel) -> Summary:
    """Compare the model with what happened on held-out clips.

    Raises:
        ModelError: the model or the features to compare in are missing.
        ValueError: there are fewer than two held-out episodes.
    """
    model = load_world_model(settings.models, settings.device)
    folder = as_shards(settings, model.config)
    chosen = places(folder, settings.clips, model.config, settings.seed)
    if len(chosen) < 2 * CLIPS_PER_EPISODE:
        raise ValueError(
            f'{len(chosen)} clips of {settings.data} are of fewer than 2 held-out episodes; ask '
            f'for {2 * CLIPS_PER_EPISODE} clips at least, and record 2 held-out episodes'
        )
    evaluation = Evaluation(
        model,
        load_feature_distance(settings.features, settings.models, settings.device),
        sorted(set(settings.steps)),
        settings.guidance,
        settings.temperature,
        settings.seed,
        Table(model.config.views, seed=settings.seed),
        Stopwatch(torch.device(settings.device)),
        _pictures(settings, len(chosen)),
    )
    _go_through(evaluation, chosen)
    return {**evaluation.result(len(chosen)), 'settings': conditions(settings)}


def _go_through(evaluation: Evaluation, chosen: list[ClipPlace]) -> None:
    config = evaluation.model.config
    evaluation.warm_up(load_clip(chosen[0], config))
    progress = ProgressLog('evaluate (clips)', len(chosen))
    for number, place in enumerate(chosen):
        # The clip of another episode lends its actions.
        lender = chosen[(number + CLIPS_PER_EPISODE) % len(chosen)]
        clip, other = load_clip(place, config), load_clip(lender, config)
        evaluation.compare(number, place, clip, other)
        progress.update(number + 1)


def conditions(settings: ImaginationSettings) -> dict[str, Any]:
    """What the numbers depend on beside the seed."""
    return {
        'models': str(settings.models),
        'data': str(settings.data),
        'device': str(settings.device),
        'threads': torch.get_num_threads(),
        'torch': torch.__version__,
        'guidance': list(settings.guidance),
        'temperature': settings.temperature,
    }


def _pictures(settings: EvaluateWorldModel, clips: int) -> dict[int, Path]:
    """Files of the clips to draw; the seed chooses them, nobody looks first."""
    if settings.pictures is None:
        return {}
    rng = np.random.default_rng([settings.seed, 13])
    count = min(settings.picture_clips, clips)
    numbers = sorted(rng.choice(clips, count, replace=False).tolist())
    return {number: settings.pictures / f'clip_{number:04d}.png' for number in numbers}
