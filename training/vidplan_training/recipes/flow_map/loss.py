# SPDX-License-Identifier: Apache-2.0
"""The loss of the flow map: flow matching on the diagonal s = t, self-distillation beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from vidplan_core.errors import ConfigError
from vidplan_core.world_model.backbones.interface import Condition
from vidplan_core.world_model.sampling.flow import spread, velocity
from vidplan_core.world_model.sampling.sampler import SamplingConfig
from vidplan_core.world_model.world_model import WorldModel
from vidplan_training.data.latents import Clips
from vidplan_training.engine.batch_shard import WHOLE, BatchShard
from vidplan_training.engine.loss_weight import LossWeight
from vidplan_training.recipes.flow_map.self_distillation import (
    Jump,
    Velocity,
    lsd_target,
    psd_target,
    random_jumps,
)
from vidplan_training.recipes.flow_map.settings import FlowMapConfig
from vidplan_training.recipes.world_model.recipe import (
    DROPPED_ACTIONS,
    condition_of,
    flow_times,
    split_clip,
    with_noise,
)

TARGETS: dict[str, Callable[[Velocity, Tensor, Jump], Tensor]] = {
    'psd': psd_target,
    'psd-midpoint': psd_target,
    'lsd': lsd_target,
}
# Jumps of less flow time than this are one step of the teacher where only jumps are guided.
SHORT = 0.06


def distilled_rows(config: FlowMapConfig, batch: int) -> Tensor:
    """Which rows of a batch are distilled, (batch,) bool: evenly spread over its parts."""
    whole = torch.floor(torch.arange(batch + 1) * config.share + 0.5)
    return whole.diff() > 0


class FlowMap(nn.Module):
    """What is trained: the world model's backbone, and the weight of its losses if learned."""

    def __init__(self, model: WorldModel, learned_weight: bool = False) -> None:
        super().__init__()
        self.model = model
        self.loss_weight = LossWeight() if learned_weight else None

    def loss(
        self,
        clips: Clips,
        config: FlowMapConfig,
        reference: WorldModel | None = None,
        shard: BatchShard = WHOLE,
    ) -> Tensor:
        """Mean loss of a batch; all rows pass through the network together.

        Args:
            clips: the batch, or one's own share of it.
            config: the objective.
            reference: the frozen teacher, needed for guidance only.
            shard: which part of the batch `clips` are.
        """
        batch = prepare(self.model, clips, config, shard)
        wanted = wanted_velocity(self.model, batch, config, reference)
        history = with_noise(batch.clean.history, self.model.config, shard)
        noisy = replace(batch.clean, history=history)
        start, target = batch.jump.start, batch.jump.target
        predicted = velocity_field(self.model, noisy)(batch.x, start, target)
        losses = (predicted - wanted).square().flatten(1).mean(1)
        if config.weighting == 'state':
            losses = losses * torch.where(target > start, (target - start) ** 2, 1.0)
        if self.loss_weight is not None:
            losses = self.loss_weight.balanced(losses, start, target)
        return losses.mean()


@dataclass(frozen=True)
class FlowMapBatch:
    """Rows between noise and data.

    straight: data minus noise, (rows, frames, channels, height, width).
    x: between the two, at the flow times where the jumps start.
    jump: where they should go; the rows that are not distilled stay where they are.
    distilled: which rows they are, (rows,) bool.
    clean: what the teacher is conditioned on.
    """

    straight: Tensor
    x: Tensor
    jump: Jump
    distilled: Tensor
    clean: Condition


def prepare(
    model: WorldModel, clips: Clips, config: FlowMapConfig, shard: BatchShard
) -> FlowMapBatch:
    """Draw times, noise and dropped actions for a batch."""
    parts = split_clip(clips, model.config.history_frames)
    data = model.to_data(parts.future, parts.history[:, -1:])
    noise = shard.randn_like(data)
    distilled = shard.of(distilled_rows(config, shard.count * len(data)))
    jump = _jumps(config, distilled, shard).to(data.device)
    x = torch.lerp(noise, data, spread(jump.start, data))
    keep = (shard.rand(len(data)) >= DROPPED_ACTIONS).to(data)
    clean = replace(condition_of(model, clips, parts), keep=keep)
    return FlowMapBatch(data - noise, x, jump, distilled, clean)


@torch.no_grad()
def wanted_velocity(
    model: WorldModel, batch: FlowMapBatch, config: FlowMapConfig, reference: WorldModel | None
) -> Tensor:
    """What the network should say of every row, under stop-gradient."""
    wanted, kinds = batch.straight.clone(), batch.distilled
    matched, distilled = (kind.nonzero()[:, 0].to(wanted.device) for kind in (~kinds, kinds))
    if config.guidance is not None and config.guided == 'all' and len(matched):
        condition, time = batch.clean.rows(matched), batch.jump.start[matched]
        wanted[matched] = guided_velocity(
            reference, condition, batch.x[matched], time, config.guidance
        )
    if len(distilled):
        exact, condition = config.variant == 'lsd', batch.clean.rows(distilled)
        teacher = velocity_field(model, condition, exact)
        if config.guidance is not None and config.guided == 'jumps':
            teacher = guided_when_short(teacher, reference, condition, config.guidance)
        wanted[distilled] = TARGETS[config.variant](
            teacher, batch.x[distilled], batch.jump.rows(distilled)
        )
    return wanted


def velocity_field(model: WorldModel, condition: Condition, exact: bool = False) -> Velocity:
    """v_{s,t} of a world model under a condition; `exact` as in `WorldModel.network`."""
    network = model.network(condition, exact)
    return lambda x, start, target: velocity(network, x, start, target)


def guided_when_short(
    own: Velocity,
    reference: WorldModel | None,
    condition: Condition,
    guidance: tuple[float, float],
) -> Velocity:
    """v_{s,t} of one's `own`, but where s and t are near each other the reference's, guided."""

    def field(x: Tensor, start: Tensor, target: Tensor) -> Tensor:
        found = own(x, start, target)
        short = (target - start < SHORT).nonzero()[:, 0]
        if not len(short):
            return found
        guided = guided_velocity(
            reference, condition.rows(short), x[short], start[short], guidance
        )
        return found.index_copy(0, short, guided.to(found))

    return field


@torch.no_grad()
def guided_velocity(
    reference: WorldModel | None,
    condition: Condition,
    x: Tensor,
    time: Tensor,
    guidance: tuple[float, float],
) -> Tensor:
    """Velocity of the reference's denoiser at flow times (rows,), guided frame by frame."""
    if reference is None:
        raise ConfigError('guidance is learned from a reference model; none was given')
    sampling = SamplingConfig(guidance_first=guidance[0], guidance_last=guidance[1])
    return velocity(reference.guided(condition, sampling), x, time, time)


def _jumps(config: FlowMapConfig, distilled: Tensor, shard: BatchShard) -> Jump:
    """Jumps of the distilled rows; the others stay where they are, s = t."""
    count = len(distilled)
    time = flow_times(count, config.pure_noise, shard)
    if config.diagonal == 'uniform':
        time = torch.where(time > 0, shard.rand(count), time)
    jump = random_jumps(count, config.variant == 'psd-midpoint', config.one_step, shard)
    start, middle, target = (
        torch.where(distilled, v, time) for v in (jump.start, jump.middle, jump.target)
    )
    return Jump(start, middle, target, jump.rest)
