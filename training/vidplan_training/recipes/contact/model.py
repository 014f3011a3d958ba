# SPDX-License-Identifier: Apache-2.0
"""The world model on commanded closedness, with readouts: loss, and what is checked of it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from vidplan_core.metrics.ranking import exact_area
from vidplan_core.world_model.context import Context
from vidplan_core.world_model.outcome import MotionOutcome, OutcomeConfig, OutcomeReadout
from vidplan_core.world_model.sampling.sampler import MEAN, SamplingConfig
from vidplan_core.world_model.world_model import WorldModel
from vidplan_training.data.latents import Clips
from vidplan_training.recipes.contact.data import Targets, Windows
from vidplan_training.recipes.flow_map.loss import FlowMap, FlowMapConfig
from vidplan_training.recipes.world_model.recipe import HISTORY_NOISE, split_clip

FED_BACK = 0.4  # of the batches start from what was imagined
HOPS = (2, 4)
READOUT_WEIGHT = 0.1
JUMPS = FlowMapConfig(share=0.5, one_step=0.2, pure_noise=0.1, guidance=(1.0, 2.0), guided='jumps')


@dataclass(frozen=True)
class Shares:
    """What a batch is made of.

    regression: of its rows learn the mean of all futures, which planning looks at, with readouts;
    the others learn the flow, as `flow` says. Jumps cost many passes through the network for
    their targets, the diagonal alone one.
    """

    regression: float
    flow: FlowMapConfig


MOSTLY_MEAN = Shares(0.75, FlowMapConfig(share=0.0, pure_noise=0.1))
WITH_JUMPS = Shares(0.5, JUMPS)


def with_readout(model: WorldModel) -> WorldModel:
    """The same model with a fresh readout, ready to train."""
    config = model.config
    sizes = OutcomeConfig(
        model.mean.shape[2],
        config.latent_height,
        config.latent_width,
        config.frames - 1,
        model.backbone.token[0].in_features,  # type: ignore[index, union-attr]
    )
    model.outcome = OutcomeReadout(sizes).to(model.mean.device)
    model.backbone.requires_grad_(True)
    return model


def outcome_loss(found: MotionOutcome, targets: Targets) -> Tensor:
    """Squared error of the closedness and cross-entropy of held and contact."""
    closedness = 10.0 * (found.closedness - targets.closedness).square().mean()
    held = functional.binary_cross_entropy_with_logits(found.held, targets.held)
    contact = functional.binary_cross_entropy_with_logits(found.contact, targets.contact)
    return closedness + 2.0 * held + contact


class ContactModel(nn.Module):
    """What is trained: the backbone and the readout of a world model."""

    def __init__(self, model: WorldModel, reference: WorldModel) -> None:
        super().__init__()
        self.flow = FlowMap(model)
        self._reference = [reference]  # no part of what is trained

    @property
    def model(self) -> WorldModel:
        """The world model under training."""
        return self.flow.model

    def loss(self, clips: Clips, targets: Targets, shares: Shares) -> Tensor:
        """Regression of the mean with readouts for some rows, the flow map for the others."""
        part = shares.regression
        count = round(part * len(clips.latents))
        first, rest = _rows(clips, slice(0, count)), _rows(clips, slice(count, None))
        regression, outcome = self._mean(first, _of(targets, slice(0, count)))
        flow = self.flow.loss(rest, shares.flow, self._reference[0])
        return part * regression + (1 - part) * flow + READOUT_WEIGHT * outcome

    def _mean(self, clips: Clips, targets: Targets) -> tuple[Tensor, Tensor]:
        model = self.model
        parts = split_clip(clips, model.config.history_frames)
        present = parts.history[:, -1]
        noisy = parts.history + HISTORY_NOISE * torch.randn_like(parts.history)
        context = Context(noisy, parts.past)
        condition = model.condition(context, parts.chunk)
        noise = torch.randn_like(parts.future)
        data, _ = model.sample(condition, noise, MEAN)
        wanted = model.to_data(parts.future, parts.history[:, -1:])
        latents = model.from_data(data.float(), parts.history[:, -1:])[:, 1:]
        assert model.outcome is not None
        tokens = condition.actions[:, -model.config.frames :]
        seen = torch.cat([latents, parts.future[:, 1:]])
        found = model.outcome(seen, present.repeat(2, 1, 1, 1), tokens.repeat(2, 1, 1))
        return (data.float() - wanted).square().mean(), outcome_loss(found, _twice(targets))


def _rows(clips: Clips, which: slice) -> Clips:
    return Clips(clips.latents[which], clips.poses.rows(which))


def _of(targets: Targets, which: slice) -> Targets:
    return Targets(targets.closedness[which], targets.held[which], targets.contact[which])


def _twice(targets: Targets) -> Targets:
    pairs = (targets.closedness, targets.held, targets.contact)
    return Targets(*(torch.cat([values, values]) for values in pairs))


@torch.no_grad()
def fed_back(
    model: WorldModel, windows: Windows, where: Tensor, hop: int, rng: torch.Generator,
    sampling: SamplingConfig = MEAN,
) -> tuple[Clips, Targets]:
    """Clips that start `hop` frames later, from a past that was imagined until then."""
    clips, _ = windows.clips(where, rng)
    parts = split_clip(clips, model.config.history_frames)
    context = Context(parts.history, parts.past)
    found = model.imagine(context, parts.chunk, sampling, hop)
    later = model.advance(context, found.latents.float(), found.measured, hop)
    true, targets = windows.clips(where, rng, hop)
    history = model.config.history_frames
    latents = torch.cat([later.latents, true.latents[:, history:]], dim=1)
    closedness = torch.cat([later.poses.closedness, true.poses.closedness[:, history:]], 1)
    poses = type(true.poses)(true.poses.position, true.poses.rotation, closedness)
    return Clips(latents.detach(), poses), targets


class Batches:
    """Batches that depend on seed and iteration only."""

    def __init__(self, windows: Windows, longer: Windows, seed: int) -> None:
        self._windows, self._longer, self._seed = windows, longer, seed

    def at(self, model: WorldModel, iteration: int, count: int) -> tuple[Clips, Targets]:
        """The batch of an iteration; some are fed back."""
        rng = torch.Generator().manual_seed(self._seed * 1_000_003 + iteration)
        if float(torch.rand((), generator=rng)) < FED_BACK:
            hop = HOPS[int(torch.randint(len(HOPS), (), generator=rng))]
            where = self._longer.where(
                self._longer.draw(count, rng), self._longer.frames + max(HOPS)
            )
            return fed_back(model, self._longer, where, hop, rng)
        return self._windows.clips(self._windows.where(self._windows.draw(count, rng)), rng)


@dataclass
class Check:
    """Numbers on held-out windows: error of the mean and of copying, and readouts."""

    windows: Windows
    count: int = 512
    batch: int = 64

    @torch.no_grad()
    def measure(self, model: WorldModel) -> dict[str, float]:
        """Latent error where nothing, and where something, is closed; area of held."""
        rng = torch.Generator().manual_seed(5)
        chosen = self.windows.draw(min(self.count, 4 * len(self.windows)), rng)
        sums = {'error': 0.0, 'copy': 0.0, 'flow_1': 0.0}
        scores, labels, closedness = [], [], []
        for part in chosen.split(self.batch):
            clips, targets = self.windows.clips(self.windows.where(part))
            parts = split_clip(clips, model.config.history_frames)
            context = Context(parts.history, parts.past)
            found = model.imagine(context, parts.chunk, MEAN, 1)
            jumped = model.imagine(context, parts.chunk, SamplingConfig(1), 1).latents
            truth, share = parts.future[:, 1:], len(part) / len(chosen)
            sums['error'] += share * (found.latents[:, 1:] - truth).square().mean().item()
            sums['flow_1'] += share * (jumped[:, 1:] - truth).square().mean().item()
            sums['copy'] += share * (parts.history[:, -1:] - truth).square().mean().item()
            if found.outcome is not None:
                scores.append(found.outcome.held[:, -1])
                labels.append(targets.held[:, -1])
                closedness.append((found.outcome.closedness - targets.closedness).abs().mean())
        if scores:
            sums['held_auroc'] = _area(torch.cat(scores), torch.cat(labels) > 0.5)
            sums['closedness_mae'] = float(torch.stack(closedness).mean())
            sums |= self._closings(model)
        return sums

    def _closings(self, model: WorldModel) -> dict[str, float]:
        """Whether what is held at the end is foreseen when the fingers begin to close."""
        chosen = self.windows.closings()[: self.count]
        scores, labels = [torch.zeros(0)], [torch.zeros(0)]
        for part in chosen.split(self.batch):
            clips, targets = self.windows.clips(self.windows.where(part))
            parts = split_clip(clips, model.config.history_frames)
            context = Context(parts.history, parts.past)
            found = model.imagine(context, parts.chunk, MEAN, 1)
            assert found.outcome is not None
            scores.append(found.outcome.held[:, -1].cpu())
            labels.append(targets.held[:, -1].cpu())
        held = torch.cat(labels) > 0.5
        return {
            'closings': float(len(held)),
            'closings_held': float(held.sum()),
            'closing_auroc': _area(torch.cat(scores), held),
        }


def _area(scores: Tensor, positive: Tensor) -> float:
    return exact_area(scores.cpu().numpy(), positive.cpu().numpy())
