# SPDX-License-Identifier: Apache-2.0
"""Distil the semantic tower into a head that reads latents, and say how far both agree."""

from __future__ import annotations

import json
from functools import partial

import torch
from torch import Tensor

from vidplan_core.heads.detectors.latent_relevancy import (
    LatentRelevancy,
    LatentRelevancyConfig,
    save_latent_relevancy,
)
from vidplan_core.heads.value import text_probe
from vidplan_core.language.semantic import SemanticScorer
from vidplan_core.world_model.checkpoint import load_world_model
from vidplan_training.collect.grasps import grasp_files
from vidplan_training.engine.trainer import Trainer
from vidplan_training.recipes.recorded_scenes import read_each
from vidplan_training.recipes.relevancy.card import write_card
from vidplan_training.recipes.relevancy.check import Agreement
from vidplan_training.recipes.relevancy.looked import LatentLooker, LatentMoments, nouns
from vidplan_training.recipes.relevancy.settings import RelevancyHeadRecipe

# Of so many scenes the last is held out.
OF = 10
# What patches that show a phrase count more than others, which are most.
SHOWN = 20.0


def run(recipe: RelevancyHeadRecipe) -> int:
    """Record, imagine, distil; write the averaged weights and what was measured."""
    device = torch.device(recipe.device or ('cuda' if torch.cuda.is_available() else 'cpu'))
    seeds, looks = range(recipe.first, recipe.first + recipe.scenes), grasp_files(recipe.data)
    looks.record(seeds, recipe.workers)
    model = load_world_model(recipe.models, 'cpu')
    scorer = SemanticScorer.load(recipe.models / 'semantic')
    parts = read_each(partial(LatentLooker(model, scorer).read, looks), seeds)
    if not parts:
        raise ValueError(f'nothing was recorded in {len(seeds)} scenes of {looks.folder}')
    moments = LatentMoments.cat(parts)
    held_out, cameras = moments.scene % OF == OF - 1, model.config.cameras
    learnt = moments.rows((~held_out).nonzero()[:, 0])
    torch.manual_seed(recipe.seed)
    head = LatentRelevancy(_sizes(recipe, learnt, scorer)).to(device)
    trainer = Trainer(head, recipe.trainer.with_short_warmup(), recipe.work)
    print(f'{len(learnt)} moments to learn from, of {len(moments)}', flush=True)
    names = nouns()

    def loss(iteration: int) -> Tensor:
        rng = torch.Generator().manual_seed(1_000_003 * recipe.seed + iteration)
        latents, dense = views_of(learnt, recipe.batch, rng)
        chosen = torch.randperm(len(names), generator=rng)[: recipe.phrases].tolist()
        found = head(latents.to(device))
        return loss_of(scorer, found.cpu(), dense, [names[number] for number in chosen])

    trainer.run(loss, lambda _: {})
    trainer.use_average()
    head = head.cpu().eval()
    save_latent_relevancy(recipe.out, head)
    views = dict(zip(model.config.views, cameras, strict=True))
    agreement = Agreement(head, scorer, views, scorer.config.threshold)
    found = agreement.measure(moments.rows(held_out.nonzero()[:, 0]))
    (recipe.out / 'metrics.json').write_text(json.dumps(found, indent=1) + '\n')
    write_card(recipe.out, found)
    print(json.dumps(found, indent=1), flush=True)
    return 0


def views_of(moments: LatentMoments, count: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Latents and the tower's embeddings of views drawn at random, (count, channels, ...)."""
    views = moments.latents.shape[1]
    index = torch.randint(len(moments) * views, (count,), generator=rng)
    moment, view = index // views, index % views
    return moments.latents[moment, view].float(), moments.dense[moment, view].float()


def loss_of(scorer: SemanticScorer, ours: Tensor, theirs: Tensor, phrases: list[str]) -> Tensor:
    """How far embeddings (batch, dim, rows, columns) are apart, and the maps of phrases."""
    cosine = 1.0 - (ours * theirs).sum(1).mean()
    wanted = scorer.compare(theirs, phrases)
    missed = (scorer.compare(ours, phrases) - wanted).square()
    return cosine + ((1.0 + SHOWN * wanted) * missed).mean()


def _sizes(
    recipe: RelevancyHeadRecipe, moments: LatentMoments, scorer: SemanticScorer
) -> LatentRelevancyConfig:
    dim, rows, columns = moments.dense.shape[2:]
    channels = moments.latents.shape[2]
    return LatentRelevancyConfig(
        channels, rows, columns, recipe.width, recipe.blocks, dim, text_probe(scorer)
    )
