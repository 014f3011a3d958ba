# SPDX-License-Identifier: Apache-2.0
"""Train the action-conditioned world model on latents of recorded episodes.

The first part of the training is a regression of the future: the network sees pure noise
(flow time 0) and learns the mean. The last part mixes in all noise levels of EDM, so that
the same weights can be sampled in several steps.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.errors import ModelError
from vidplan_core.models.io import load_weights
from vidplan_core.world_model.augmentation import noisy_history
from vidplan_core.world_model.backbones.interface import Condition
from vidplan_core.world_model.checkpoint import save_world_model, world_model_config
from vidplan_core.world_model.config import WorldModelConfig
from vidplan_core.world_model.context import Context
from vidplan_core.world_model.sampling.flow import raw_target, scaled_input, spread
from vidplan_core.world_model.world_model import OTHER_PARTS, WorldModel
from vidplan_training.data.latents import Clips
from vidplan_training.engine.batch_shard import WHOLE, BatchShard
from vidplan_training.engine.lora import add_lora, merge_lora
from vidplan_training.engine.trainer import Trainer
from vidplan_training.recipes.world_model.data import TrainingData, gather
from vidplan_training.recipes.world_model.settings import WorldModelRecipe

LOG_SIGMA_MEAN, LOG_SIGMA_STD = 0.7, 1.6  # of the released Ctrl-World training
HISTORY_NOISE = 0.05
DROPPED_ACTIONS = 0.05  # share of clips without actions, for classifier-free guidance


@dataclass(frozen=True)
class Split:
    """A clip's past and future; the present belongs to both."""

    history: Tensor
    future: Tensor
    past: PoseChunk
    chunk: PoseChunk


def split_clip(clips: Clips, history: int) -> Split:
    """Cut clips (batch, history - 1 + frames) at the present."""
    before, after = slice(0, history), slice(history - 1, None)
    latents, poses = clips.latents, clips.poses
    return Split(latents[:, before], latents[:, after], poses.part(before), poses.part(after))


def flow_times(batch: int, share_of_noise: float, shard: BatchShard = WHOLE) -> Tensor:
    """Flow times (batch,): a share at pure noise, the rest by EDM's distribution of sigma."""
    sigma = (LOG_SIGMA_MEAN + LOG_SIGMA_STD * shard.randn(batch)).exp()
    return torch.where(shard.rand(batch) < share_of_noise, torch.zeros(batch), 1 / (1 + sigma))


def loss_of(
    model: WorldModel, clips: Clips, share_of_noise: float, shard: BatchShard = WHOLE
) -> Tensor:
    """EDM loss with unit weight on the raw output F, written along the flow (see flow.py).

    The wanted velocity at x = s x1 + (1-s) x0 is x1 - x0, for every noise x0.
    """
    parts = split_clip(clips, model.config.history_frames)
    data = model.to_data(parts.future, parts.history[:, -1:])
    noise = shard.randn_like(data)
    time = flow_times(len(data), share_of_noise, shard).to(data.device)
    x = noise + spread(time, data) * (data - noise)
    target = raw_target(x, data - noise, time)
    history = with_noise(parts.history, model.config, shard)
    keep = (shard.rand(len(data)) >= DROPPED_ACTIONS).to(data)
    condition = replace(condition_of(model, clips, replace(parts, history=history)), keep=keep)
    with torch.autocast(data.device.type, torch.bfloat16):
        raw = model.backbone(scaled_input(x, time), condition, time, time)
    return (raw.float() - target).square().mean()


def with_noise(history: Tensor, config: WorldModelConfig, shard: BatchShard = WHOLE) -> Tensor:
    """A past (batch, history, ...) with the noise that a configuration asks for in training."""
    normal = shard.randn_like(history[:, :-1, 0, 0, 0])
    levels = torch.cat([normal, shard.rand(len(history)).to(normal)[:, None]], dim=1)
    return noisy_history(history, config, levels, shard.randn_like(history))


def condition_of(model: WorldModel, clips: Clips, parts: Split) -> Condition:
    """Conditioning of the network on clips."""
    ages = model.config.history_ages
    return model.condition(
        Context(parts.history, parts.past, texts_of(model, clips), ages), parts.chunk
    )


def texts_of(model: WorldModel, clips: Clips) -> Tensor | None:
    """Embeddings of the instructions, for a model that reads them."""
    if model.text_encoder is None:
        return None
    return model.text_encoder(clips.texts or ('',) * len(clips.latents))


def held_out_error(model: WorldModel, clips: Clips, at_once: int) -> dict[str, float]:
    """Latent mean squared error of the new frames in one step, against copying.

    A few clips go at a time: at full size all of them would not fit into memory.
    """
    total: Counter[str] = Counter()
    for first in range(0, len(clips.latents), at_once):
        part = clips.rows(slice(first, first + at_once))
        for name, error in _errors(model, part).items():
            total[name] += error * len(part.latents)  # type: ignore[assignment]
    return {name: error / len(clips.latents) for name, error in total.items()}


@torch.no_grad()
def _errors(model: WorldModel, clips: Clips) -> dict[str, float]:
    parts = split_clip(clips, model.config.history_frames)
    time = torch.zeros(len(parts.future), device=parts.future.device)
    condition = condition_of(model, clips, parts)
    noise = model.noise(0, parts.future.shape[1]).expand_as(parts.future)
    with torch.autocast(time.device.type, torch.bfloat16):
        raw = model.backbone(noise, condition, time, time)
    predicted = model.from_data(-raw.float(), parts.history[:, -1:])
    error = (predicted - parts.future)[:, 1:].square().mean().item()
    copied = (parts.history[:, -1:] - parts.future)[:, 1:].square().mean().item()
    return {'held_out_error': error, 'held_out_copy': copied}


def go_on_from(model: WorldModel, folder: Path) -> None:
    """Start with the weights of an earlier model, which may lack gates and cameras.

    Raises ModelError where they do not fit.
    """
    config = world_model_config(folder)
    with torch.device('meta'):  # no weights of its own, so that there are two copies at most
        earlier = WorldModel(config, model.autoencoder, model.text_encoder)
    load_weights(earlier, folder, optional=OTHER_PARTS)
    if config.backbone.reads_target_time:
        # The first models saw one target time only; here the denoiser's own is trained.
        earlier.backbone.restart_target(1.0)
    state = model.backbone.grown(earlier.backbone.state_dict())
    try:
        model.backbone.load_state_dict(state)
    except RuntimeError as error:
        raise ModelError(f'{folder} is of another size than asked for: {error}') from error


def run(recipe: WorldModelRecipe) -> int:
    """Encode, train, write the averaged weights."""
    data = gather(recipe)
    torch.manual_seed(recipe.seed)
    model = WorldModel(data.config, data.autoencoder, data.text_encoder)
    model.requires_grad_(False).backbone.requires_grad_(True)
    if recipe.start:
        go_on_from(model, recipe.start)
    if model.config.backbone.reads_target_time:
        # The target time means nothing until the flow map is distilled.
        model.backbone.target_embedding.requires_grad_(False)
    if recipe.lora_rank:
        add_lora(model.backbone, recipe.lora_rank)
    trainer = Trainer(model, recipe.trainer.with_short_warmup(), recipe.work)
    if not recipe.export_only:
        _train(trainer, model, data, recipe)
    trainer.use_average()
    if recipe.lora_rank:
        merge_lora(model.backbone)
    if trainer.main:
        save_world_model(recipe.out, model)
    return 0


def _train(
    trainer: Trainer, model: WorldModel, data: TrainingData, recipe: WorldModelRecipe
) -> None:
    check = data.held_out.to(trainer.device)
    print(f'{len(data.training)} training clips', flush=True)

    def loss(iteration: int) -> Tensor:
        noise = 1.0 if iteration < recipe.regression * recipe.trainer.iterations else 0.5
        clips = data.training.random(iteration, recipe.batch, recipe.seed, trainer.shard)
        return loss_of(model, clips.to(trainer.device), noise, trainer.shard)

    if recipe.checkpointing:
        model.backbone.keep_no_activations()
    if recipe.compile:
        model.backbone.compile()
    trainer.run(loss, lambda _: held_out_error(model, check, recipe.checked_at_once))
