# SPDX-License-Identifier: Apache-2.0
"""Turn a trained world model into a flow map: the same weights sampled in 1, 2 or 4 steps.

The target time's embedding, a no-op until now, learns to distinguish jumps of different
lengths; at target = start the network stays the denoiser that it was, so the many-step sampler
goes on working with the same weights.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vidplan_core.errors import ConfigError
from vidplan_core.models.io import load_weights
from vidplan_core.world_model.checkpoint import save_world_model, world_model_config
from vidplan_core.world_model.sampling.sampler import SamplingConfig
from vidplan_core.world_model.world_model import OTHER_PARTS, WorldModel
from vidplan_training.data.episode_clips import ClipSource
from vidplan_training.engine.lora import add_lora, merge_lora
from vidplan_training.engine.processes import Processes
from vidplan_training.engine.trainer import Trainer
from vidplan_training.recipes.flow_map.check import HeldOut, averaged
from vidplan_training.recipes.flow_map.loss import FlowMap
from vidplan_training.recipes.flow_map.settings import FlowMapRecipe
from vidplan_training.recipes.world_model.data import (
    autoencoder_for,
    clips_for,
    text_encoder_for,
)


def load_teacher(recipe: FlowMapRecipe) -> WorldModel:
    """The world model that this run began with, frozen.

    A copy beside the checkpoint keeps it for the day when the run is resumed: by then
    MODELS/world_model may hold the flow map that was made of it.
    """
    kept = recipe.work.with_suffix('.teacher')
    source = kept if recipe.work.exists() else recipe.models / 'world_model'
    config = world_model_config(source)
    parts = autoencoder_for(recipe.models, config), text_encoder_for(recipe.models, config)
    model = WorldModel(config, *parts)
    load_weights(model, source, optional=OTHER_PARTS)
    if source != kept and Processes().main:
        save_world_model(kept, model)
    model.fast = recipe.trainer.precision != 'no'
    return model.eval().requires_grad_(False)


def start_from(teacher: WorldModel) -> WorldModel:
    """A trainable copy; the target time's embedding learns as well."""
    model = WorldModel(teacher.config, teacher.autoencoder, teacher.text_encoder)
    model.load_state_dict(teacher.state_dict())
    model.fast = teacher.fast
    model.backbone.requires_grad_(True)
    return model


def run(recipe: FlowMapRecipe) -> int:
    """Distil and write the averaged weights."""
    teacher = load_teacher(recipe)
    model = start_from(teacher)
    if recipe.lora_rank:
        add_lora(model.backbone, recipe.lora_rank)
        model.backbone.target_embedding.requires_grad_(True)
    flow_map = FlowMap(model, recipe.learned_weight)
    trainer = Trainer(flow_map, recipe.trainer, recipe.work)
    if not recipe.export_only:
        _train(trainer, flow_map, teacher.to(trainer.device), recipe)
    trainer.use_average()
    if recipe.lora_rank:
        merge_lora(model.backbone)
    if trainer.main:
        save_world_model(recipe.out, flow_map.model)
    return 0


def _train(
    trainer: Trainer, flow_map: FlowMap, teacher: WorldModel, recipe: FlowMapRecipe
) -> None:
    data, check = clips_for(teacher.config, recipe)
    if trainer.sharded and recipe.objective.variant == 'lsd':
        raise ConfigError("trainer.shard cannot differentiate twice: choose variant 'psd'")
    checked = trainer.main or trainer.sharded  # of a sharded network each process has a part
    held_out = _held_out(trainer, teacher, check, recipe) if checked else None

    def loss(iteration: int) -> Tensor:
        shard = trainer.shard
        clips = data.random(iteration, recipe.batch, recipe.seed, shard).to(trainer.device)
        return flow_map.loss(clips, recipe.objective, teacher, shard)

    def report(_: int) -> dict[str, float]:
        assert held_out is not None
        # A check has sizes of its own; compiling for them takes longer than they do.
        with averaged(flow_map, trainer.average), torch.compiler.set_stance('force_eager'):
            return held_out.measure(flow_map.model)

    if held_out is not None:
        before = '  '.join(f'{k} {v:.4g}' for k, v in held_out.measure(flow_map.model).items())
        trainer.tell(f'{len(data)} training clips; held out before: {before}')
    if recipe.checkpointing:
        flow_map.model.backbone.keep_no_activations()
    if recipe.compile:
        # Student and teacher rows differ in number: one graph for each, none for any number.
        flow_map.model.backbone.compile(dynamic=False)
    trainer.run(loss, report)


def _held_out(
    trainer: Trainer, teacher: WorldModel, check: ClipSource, recipe: FlowMapRecipe
) -> HeldOut:
    first, last = recipe.objective.guidance or (1.0, 1.0)
    sampling = SamplingConfig(recipe.teacher_steps, 'edm', first, last)
    clips = check.random(0, recipe.checked, 1).to(trainer.device)
    return HeldOut(teacher, clips, sampling, recipe.checked_at_once)
