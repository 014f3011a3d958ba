# SPDX-License-Identifier: Apache-2.0
"""Train a head on rollouts of a world model that stays as it is."""

from __future__ import annotations

from typing import Any

import torch

from vidplan_core.heads.anomaly.hallucination import HallucinationHead
from vidplan_core.heads.network import save_head
from vidplan_core.heads.uncertainty import UncertaintyHead
from vidplan_core.heads.value import ValueHead
from vidplan_core.models.io import load_weights
from vidplan_core.world_model.checkpoint import load_world_model
from vidplan_training.engine.processes import Processes
from vidplan_training.engine.trainer import Trainer
from vidplan_training.recipes.heads.hallucination import HallucinationTraining
from vidplan_training.recipes.heads.settings import (
    HallucinationHeadRecipe,
    HeadRecipe,
    UncertaintyHeadRecipe,
    ValueHeadRecipe,
)
from vidplan_training.recipes.heads.uncertainty import UncertaintyTraining
from vidplan_training.recipes.heads.value import ValueTraining

# What prepares rollouts and losses, what is trained, by the recipe asked for.
HEADS: dict[type[HeadRecipe], tuple[Any, Any]] = {
    UncertaintyHeadRecipe: (UncertaintyTraining, UncertaintyHead),
    HallucinationHeadRecipe: (HallucinationTraining, HallucinationHead),
    ValueHeadRecipe: (ValueTraining, ValueHead),
}


def run(recipe: HeadRecipe) -> int:
    """Make rollouts, train, write the averaged weights."""
    torch.manual_seed(recipe.seed)
    kind, head_class = HEADS[type(recipe)]
    training = kind(load_world_model(recipe.models, Processes().device), recipe)
    head = head_class(training.config())
    if recipe.start:
        load_weights(head, recipe.start)
    elif not recipe.work.exists():
        training.prepare(head)
    trainer = Trainer(head, recipe.trainer, recipe.work)
    if not recipe.export_only:
        if recipe.compile:
            head.network.compile()
        trainer.run(
            lambda iteration: training.loss(head, iteration, recipe.batch, trainer.shard),
            lambda _: training.report(head),
        )
    trainer.use_average()
    if trainer.main:
        print(training.report(head), flush=True)
        save_head(recipe.out, head)
    return 0
