# SPDX-License-Identifier: Apache-2.0
"""The value head learns from imagined futures of clips that succeed and of many that do not."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor

from vidplan_core.errors import ModelError
from vidplan_core.heads.distribution.bins import VALUE_BINS
from vidplan_core.heads.distribution.estimate import expectation
from vidplan_core.heads.grounding import MAPS
from vidplan_core.heads.network import HeadConfig, head_precision
from vidplan_core.heads.value import (
    ValueHead,
    text_probe,
    value_inputs,
    value_loss,
)
from vidplan_core.language.instruction import Instruction
from vidplan_core.language.semantic import SemanticScorer
from vidplan_core.metrics.calibration import Reliability
from vidplan_core.world_model.world_model import WorldModel
from vidplan_training.data.dataset import split
from vidplan_training.data.latents import Statistics, encode_shards
from vidplan_training.data.robot_shards import as_shards
from vidplan_training.engine.batch_shard import WHOLE, BatchShard
from vidplan_training.recipes.heads.labelled_episodes import value_episodes
from vidplan_training.recipes.heads.rollouts import (
    HOPS,
    SAMPLINGS,
    Pool,
    PoolConfig,
    Rollouts,
    imagine_ahead,
)
from vidplan_training.recipes.heads.settings import ValueHeadRecipe
from vidplan_training.recipes.heads.value_episodes import ClipDraw, ValueEpisodes

SHARE_OF_KIND_NAMES = 0.5  # the other instructions name the object in other words


@cache
def phrases_of(kind: str) -> tuple[str, ...]:
    """Other words for a kind of object, without articles."""
    from vidplan_core.language.instruction import noun_phrase
    from vidplan_sim.objects.catalogue import kind_named

    return tuple(noun_phrase(phrase) for phrase in kind_named(kind).phrases)


def value_rollouts(
    model: WorldModel,
    scorer: SemanticScorer,
    data: ValueEpisodes,
    rng: np.random.Generator,
    group: int,
) -> Rollouts:
    """A group of rollouts of drawn clips with their instructions and values."""
    hops = HOPS[rng.integers(len(HOPS))]
    sampling = SAMPLINGS[rng.integers(len(SAMPLINGS))]
    ahead = sum(hops) + model.config.frames - 1
    draws = [data.draw(rng, ahead) for _ in range(group)]
    wanted = [_instruction(data, draw, rng) for draw in draws]
    clips = data.clips(draws, model.config.seen_ages, ahead)
    imagination, truth = imagine_ahead(model, clips, hops, sampling, int(rng.integers(2**31)))
    values = data.values_of(draws, ahead, model.config.frames - 1).to(truth)
    inputs = value_inputs(scorer, model, imagination, wanted)
    return Rollouts(inputs.detach(), truth, values)


def _instruction(data: ValueEpisodes, draw: ClipDraw, rng: np.random.Generator) -> Instruction:
    kind = data.kinds[draw.kind]
    words = phrases_of(kind) if data.of_the_cell else (kind,)
    plain = rng.random() < SHARE_OF_KIND_NAMES
    phrase = kind if plain else words[rng.integers(len(words))]
    return data.instruction(draw.verb, draw.kind, phrase)


class ValueTraining:
    """Data, loss and check of one training."""

    def __init__(self, model: WorldModel, recipe: ValueHeadRecipe) -> None:
        """Encode what is not encoded yet and load all latents.

        Raises:
            ModelError: there is no semantic scorer beside the world model.
        """
        if not (recipe.models / 'semantic').is_dir():
            raise ModelError(
                f'{recipe.models} has no semantic/: the value head reads its text tower; run '
                '`vidplan-train semantic` first'
            )
        scorer = SemanticScorer.load(recipe.models / 'semantic')
        self.scorer, self.recipe = scorer, recipe
        folder = as_shards(recipe, model.config)
        training, held_out = split(folder, False), split(folder, True)
        encode_shards(training + held_out, model.autoencoder)
        stats = Statistics.of(model.config)
        data, other = (value_episodes(f, stats, recipe.gamma) for f in (training, held_out))
        pool = PoolConfig(max(recipe.pool, recipe.batch))
        self.pool = Pool(
            lambda rng, n: value_rollouts(model, scorer, data, rng, n), pool, recipe.seed
        )
        checked = PoolConfig(recipe.checked, group=min(16, recipe.checked))
        check = Pool(
            lambda rng, n: value_rollouts(model, scorer, other, rng, n), checked, recipe.seed + 1
        )
        self.check = check.fill(0)

    def config(self) -> HeadConfig:
        """Sizes of a head for the world model and the scorer's text."""
        check = self.check.inputs
        frames, channels, rows, columns = check.predicted.shape[1:]
        assert check.text is not None
        return HeadConfig(
            channels, frames, check.actions.shape[-1], rows, columns,
            widths=self.recipe.widths, text=check.text.shape[-1], maps=MAPS,
            offsets=0 if check.offsets is None else check.offsets.shape[-1],
            bins='uniform', bin_count=VALUE_BINS, bin_high=1.0, gamma=self.recipe.gamma,
            text_probe=text_probe(self.scorer),
        )  # fmt: skip

    def prepare(self, head: ValueHead) -> None:
        """Begin as initialised."""

    def loss(
        self, head: ValueHead, iteration: int, batch: int, shard: BatchShard = WHOLE
    ) -> Tensor:
        """Cross-entropy of a batch; nothing reaches the world model."""
        rollouts = self.pool.batch(iteration, batch).rows(shard.rows(batch))
        assert rollouts.values is not None
        with head_precision(rollouts.truth.device):
            logits = head(rollouts.inputs.detach())
        return value_loss(logits, rollouts.values, head)

    @torch.no_grad()
    def report(self, head: ValueHead) -> str:
        """Log score and calibration on held-out episodes, and successes against failures."""
        with head_precision(self.check.truth.device):
            logits = head(self.check.inputs).float()
        assert self.check.values is not None
        values, expected = self.check.values, expectation(logits, head.bins, -1)
        reliability = Reliability()
        reliability.add(0, expected.flatten(), values.flatten())
        good, bad = expected[values >= 1.0].flatten(), expected[values == 0.0].flatten()
        order = (good[:, None] > bad[None]).float().mean().item()
        nll = value_loss(logits, values, head).item()
        return (
            f'held-out nll {nll:.4f}  ece {reliability.error().value:.4f}  '
            f'failures below successes {order:.3f}'
        )
