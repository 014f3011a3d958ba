# SPDX-License-Identifier: Apache-2.0
"""Whether values separate progress from standstill, success from failure, best from rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vidplan_core.heads.distribution.estimate import expectation
from vidplan_core.heads.grounding import VERBS
from vidplan_core.heads.value import ValueHead, load_value, value_inputs
from vidplan_core.language.semantic import SemanticScorer
from vidplan_core.metrics.calibration import Reliability
from vidplan_core.metrics.episode_sums import EpisodeMeans
from vidplan_core.metrics.ranking import Separation
from vidplan_core.world_model.checkpoint import load_world_model
from vidplan_core.world_model.sampling.sampler import SamplingConfig
from vidplan_core.world_model.world_model import WorldModel
from vidplan_training.data.latents import Statistics, encode_shards
from vidplan_training.data.robot_shards import as_shards
from vidplan_training.engine.progress_log import ProgressLog
from vidplan_training.evaluation.clips import held_out_shards
from vidplan_training.evaluation.intervals import intervals_of, values_of
from vidplan_training.evaluation.report import report
from vidplan_training.evaluation.settings import EvaluateValue, ValueSettings
from vidplan_training.evaluation.value.choice import best_of_six
from vidplan_training.recipes.heads.labelled_episodes import value_episodes
from vidplan_training.recipes.heads.rollouts import imagine_ahead
from vidplan_training.recipes.heads.value_episodes import (
    PLAYBACKS,
    PLAYED,
    ClipDraw,
    Segment,
    ValueEpisodes,
)

ORDERS = (*(f'order_{verb}' for verb in VERBS), 'order_by_chance')
SHORTEST_SEGMENT, LONGEST_SEGMENT = 3, 16  # clips of a segment whose order is measured


@dataclass
class ValueRun:
    """One evaluation: models, episodes, and what has been counted."""

    model: WorldModel
    head: ValueHead
    scorer: SemanticScorer
    data: ValueEpisodes
    sampling: SamplingConfig
    seed: int

    def __post_init__(self) -> None:
        self.reliability, self.top_label = Reliability(), Reliability()
        self.ranking, self.progress = Separation(0.0, 1.0), Separation(0.0, 1.0)
        self.by_playback = {playback: Separation(0.0, 1.0) for playback in PLAYBACKS}
        self.orders = EpisodeMeans(['order', *ORDERS, 'best', 'regret'])

    @property
    def ahead(self) -> int:
        """New frames of a chunk."""
        return self.model.config.frames - 1

    def logits(self, draws: list[ClipDraw]) -> Tensor:
        """Predicted distributions (batch, frames, bins) of the clips' new frames."""
        clips = self.data.clips(draws, self.model.config.seen_ages, self.ahead)
        imagination, _ = imagine_ahead(self.model, clips, (), self.sampling, self.seed)
        wanted = [self.data.instruction(d.verb, d.kind) for d in draws]
        return self.head.logits(value_inputs(self.scorer, self.model, imagination, wanted))

    def count(self, draws: list[ClipDraw]) -> None:
        """Compare the values of clips of one episode with what they were worth."""
        logits = self.logits(draws)
        expected = expectation(logits, self.head.bins, -1)
        true = self.data.values_of(draws, self.ahead, self.ahead)
        episode = draws[0].episode
        self.reliability.add(episode, expected.flatten(), true.flatten())
        confidence, label = logits.softmax(-1).flatten(0, 1).max(-1)
        right = label == self.head.bins.index(true).flatten()
        self.top_label.add(episode, confidence, right)
        for draw, score, worth in zip(draws, expected[:, -1].numpy(), true[:, -1].numpy()):
            if worth == 0.0:
                self.by_playback[draw.playback].add(episode, score, positive=False)
            if worth in (0.0, 1.0):
                self.ranking.add(episode, score, positive=worth == 1.0)
            self.progress.add(episode, score, positive=worth > 0.0)
            if worth == 1.0:
                for separation in self.by_playback.values():
                    separation.add(episode, score, positive=True)

    def count_order(self, episode: int) -> None:
        """Follow the arm to what it set out to do: along each segment values should rise."""
        segments = self.data.segments(episode)
        for segment in segments:
            order = self._order(episode, segment)
            self.orders.add(episode, **{'order': order, f'order_{VERBS[segment.verb]}': order})
        aimed = {(segment.verb, segment.kind) for segment in segments}
        first = self.data.success[episode].argmax(axis=0)
        for verb, kind in np.argwhere(self.data.success[episode].any(axis=0)):
            if (verb, kind) not in aimed:
                segment = Segment(int(verb), int(kind), 0, int(first[verb, kind]))
                self.orders.add(episode, order_by_chance=self._order(episode, segment))

    def _order(self, episode: int, segment: Segment) -> float:
        """Rank correlation of values and time; NaN where the segment is too short."""
        last = segment.success - self.ahead
        start = max(segment.start, last - LONGEST_SEGMENT + 1)
        if last - start < SHORTEST_SEGMENT - 1:
            return float('nan')
        frames = np.arange(self.data.lengths[episode])
        draws = [
            ClipDraw(episode, frames, present, segment.verb, segment.kind, PLAYED)
            for present in range(start, last + 1)
        ]
        expected = expectation(self.logits(draws), self.head.bins, -1)[:, -1]
        return rank_correlation(expected.numpy())


def run(settings: EvaluateValue) -> int:
    """Evaluate and report."""
    return report(evaluate_value, settings)


@torch.no_grad()
def evaluate_value(settings: EvaluateValue) -> dict[str, Any]:
    """Every number that the value head is measured by, with intervals over episodes.

    Raises:
        ModelError: a model is missing or does not fit the others.
        ValueError: the data are for training.
    """
    run = make_run(settings)
    rng = np.random.default_rng([settings.seed, 23])
    by_episode: dict[int, list[ClipDraw]] = {}
    for _ in range(settings.draws * len(run.data)):
        draw = run.data.draw(rng, run.ahead)
        by_episode.setdefault(draw.episode, []).append(draw)
    progress = ProgressLog('evaluate (episodes)', len(by_episode))
    for done, (episode, draws) in enumerate(by_episode.items(), 1):
        run.count(draws)
        run.count_order(episode)
        progress.update(done)
    scenes = best_of_six(run.model, run.head, run.scorer, settings)
    for scene, found in enumerate(scenes if settings.source == 'cell' else ()):
        run.orders.add(1_000_000 + scene, best=float(found.agrees), regret=found.regret_m)
    return _result(run, settings)


def make_run(settings: ValueSettings) -> ValueRun:
    """Load models and episodes."""
    model, head = load_world_model(settings.models), load_value(settings.models)
    head.config.check_fits(model.config, model.mean.shape[2])
    scorer = SemanticScorer.load(settings.models / 'semantic')
    head.check_scorer(scorer)
    found = held_out_shards(as_shards(settings, model.config))
    encode_shards(found, model.autoencoder)
    data = value_episodes(found, Statistics.of(model.config), head.config.gamma)
    return ValueRun(model, head, scorer, data, settings.sampling, settings.seed)


def rank_correlation(values: np.ndarray) -> float:
    """Spearman's correlation of values with their order; NaN when all are equal."""
    from scipy.stats import spearmanr

    if np.ptp(values) == 0.0:
        return float('nan')
    return float(spearmanr(np.arange(len(values)), values).statistic)


def _result(run: ValueRun, settings: EvaluateValue) -> dict[str, Any]:
    numbers = {
        'ece': run.reliability.error(),
        'value_order_correlation': run.orders.mean('order'),
        'failure_below_success': run.ranking.area(),
        'best_of_6_agreement': run.orders.mean('best'),
        'top_label_ece': run.top_label.error(),
        'failure_below_progress': run.progress.area(),
        **{f'value_{name}': run.orders.mean(name) for name in ORDERS},
        'best_of_6_regret_m': run.orders.mean('regret'),
        **{f'{playback}_below_success': s.area() for playback, s in run.by_playback.items()},
    }
    return {
        **values_of(numbers),
        'episodes': len(run.data),
        'scenes': settings.scenes,
        'seed': settings.seed,
        'gamma': run.head.config.gamma,
        'reliability': run.reliability.diagram(),
        'interval_95': intervals_of(numbers),
    }
