# SPDX-License-Identifier: Apache-2.0
"""The loss of the flow map: flow matching on the diagonal s = t, self-distillation beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from vidplan_core.errors import ConfigError
from vidplan_core.world_model.backbone import Condition
from vidplan_core.world_model.flow import spread, velocity
from vidplan_core.world_model.sampler import SamplingConfig, guided_network
from vidplan_core.world_model.world_model import WorldModel, action_tokens
from vidplan_training.latents import Clips
from vidplan_training.loss_weight import LossWeight
from vidplan_training.self_distillation import (
    Jump,
    Velocity,
    lsd_target,
    psd_target,
    random_jumps,
)
from vidplan_training.world_model import (
    DROPPED_ACTIONS,
    HISTORY_NOISE,
    flow_times,
    split_clip,
)

TARGETS: dict[str, Callable[[Velocity, Tensor, Jump], Tensor]] = {
    'psd': psd_target,
    'psd-midpoint': psd_target,
    'lsd': lsd_target,
}
DIAGONALS = ('edm', 'uniform')
WEIGHTINGS = ('velocity', 'state')


@dataclass(frozen=True)
class FlowMapConfig:
    """The objective.

    variant: 'psd' (u uniform between s and t), 'psd-midpoint' or 'lsd'.
    share: of a batch that is distilled; the rest is flow matching.
    one_step: share of the distilled rows that jump from pure noise to data at once.
    diagonal: distribution of s = t: 'edm' (of sigma) or 'uniform' (of s).
    pure_noise: share of the diagonal at s = 0.
    weighting: 'velocity' squares errors of v_{s,t}; 'state' those of X_{s,t}, which are
        (t - s) times as large.
    guidance: of the first and the last frame; the diagonal then learns the guided velocity of
        the frozen reference instead of data minus noise, and planning needs no second pass.
        (1, 1) learns the reference's own velocity.
    """

    variant: str = 'psd'
    share: float = 1.0 / 3.0
    one_step: float = 0.1
    diagonal: str = 'edm'
    pure_noise: float = 0.1
    weighting: str = 'velocity'
    guidance: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        for name, known in (
            ('variant', tuple(TARGETS)),
            ('diagonal', DIAGONALS),
            ('weighting', WEIGHTINGS),
        ):
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} must be one of {known}, not '{getattr(self, name)}'")
        for name in ('share', 'one_step', 'pure_noise'):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(f'{name} must lie between 0 and 1')

    def distilled(self, batch: int) -> int:
        """Rows of a batch that are distilled; they come last."""
        return round(self.share * batch)


class FlowMap(nn.Module):
    """What is trained: the world model's backbone, and the weight of its losses if learned."""

    def __init__(self, model: WorldModel, learned_weight: bool = False) -> None:
        super().__init__()
        self.model = model
        self.loss_weight = LossWeight() if learned_weight else None

    def loss(
        self, clips: Clips, config: FlowMapConfig, reference: WorldModel | None = None
    ) -> Tensor:
        """Mean loss of a batch; all rows pass through the network together.

        Args:
            clips: the batch.
            config: the objective.
            reference: the frozen teacher, needed for guidance only.
        """
        model, parts = self.model, split_clip(clips, self.model.config.history_frames)
        data = model.to_data(parts.future, parts.history[:, -1:])
        noise = torch.randn_like(data)
        distilled = config.distilled(len(data))
        diagonal, jump = _times(config, len(data) - distilled, distilled, data.device)
        start = torch.cat([diagonal, jump.start])
        target = torch.cat([diagonal, jump.target])
        x = torch.lerp(noise, data, spread(start, data))
        keep = (torch.rand(len(data), device=data.device) >= DROPPED_ACTIONS).to(data)
        clean = Condition(parts.history, action_tokens(parts.past, parts.chunk), keep=keep)
        wanted = data - noise
        cut = len(diagonal)
        if config.guidance is not None and cut:
            if reference is None:
                raise ConfigError('guidance is learned from a reference model; none was given')
            wanted[:cut] = guided_velocity(
                reference, rows(clean, 0, cut), x[:cut], diagonal, config.guidance
            )
        if distilled:
            teacher = velocity_field(model, rows(clean, cut), exact=config.variant == 'lsd')
            wanted[cut:] = TARGETS[config.variant](teacher, x[cut:], jump)
        noisy = parts.history + HISTORY_NOISE * torch.randn_like(parts.history)
        predicted = velocity_field(model, replace(clean, history=noisy))(x, start, target)
        losses = (predicted - wanted).square().flatten(1).mean(1)
        if config.weighting == 'state':
            losses = losses * torch.where(target > start, (target - start) ** 2, 1.0)
        if self.loss_weight is not None:
            losses = self.loss_weight.balanced(losses, start, target)
        return losses.mean()


def velocity_field(model: WorldModel, condition: Condition, exact: bool = False) -> Velocity:
    """v_{s,t} of a world model under a condition; `exact` as in `WorldModel.network`."""
    network = model.network(condition, exact)
    return lambda x, start, target: velocity(network, x, start, target)


def rows(condition: Condition, first: int, end: int | None = None) -> Condition:
    """Some rows of a batch's condition."""

    def cut(values: Tensor | None) -> Tensor | None:
        return None if values is None else values[first:end]

    return Condition(
        condition.history[first:end],
        condition.actions[first:end],
        cut(condition.text),
        cut(condition.keep),
    )


@torch.no_grad()
def guided_velocity(
    reference: WorldModel,
    condition: Condition,
    x: Tensor,
    time: Tensor,
    guidance: tuple[float, float],
) -> Tensor:
    """Velocity of the reference's denoiser at flow times (rows,), guided frame by frame."""
    sampling = SamplingConfig(guidance_first=guidance[0], guidance_last=guidance[1])
    network = reference.network(condition)
    if sampling.guided:
        dropped = reference.network(condition.without_actions())
        network = guided_network(network, dropped, sampling.guidance(x.shape[1]))
    return velocity(network, x, time, time)


def _times(
    config: FlowMapConfig, diagonal: int, distilled: int, device: torch.device
) -> tuple[Tensor, Jump]:
    if config.diagonal == 'edm':
        straight = flow_times(diagonal, config.pure_noise)
    else:
        noise = torch.rand(diagonal) < config.pure_noise
        straight = torch.where(noise, torch.zeros(diagonal), torch.rand(diagonal))
    jump = random_jumps(distilled, config.variant == 'psd-midpoint', config.one_step)
    moved_jump = Jump(*(v.to(device) for v in (jump.start, jump.middle, jump.target, jump.rest)))
    return straight.to(device), moved_jump
