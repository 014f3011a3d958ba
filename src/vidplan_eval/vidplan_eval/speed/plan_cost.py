# SPDX-License-Identifier: Apache-2.0
"""What one plan costs, part by part, counted without computing anything.

A model on the meta device has shapes and no numbers, so even the full size is counted on any
machine. Heads and the semantic tower are left out; they are small beside these parts.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from vidplan_core.planner.config import LATENTS, PlannerConfig
from vidplan_core.planner.objective.combination import COMBINATIONS, combine
from vidplan_core.planner.objective.decoding import decode_frames, view_numbers
from vidplan_core.world_model.backbones.interface import Condition
from vidplan_core.world_model.context import FEATURES
from vidplan_core.world_model.world_model import WorldModel
from vidplan_eval.speed.engine_bench import count_tflop


def plan_cost(model: WorldModel, config: PlannerConfig, candidates: int = 6) -> dict[str, float]:
    """Multiplications and additions of one plan in 10^12, by part and in `total`.

    The most that a cycle takes: the arm moves, so that what it is committed to is imagined, and
    the models have heads, so that coming to rest is imagined where a score depends on it.

    Args:
        model: on the meta device.
        config: how it plans.
        candidates: proposals.
    """
    count = PartCounter(model, config)
    imagined = min(config.shortlist or candidates, candidates)
    passes = 2 if config.sampling.guided else 1
    steps, refined = config.steps * passes, (config.refine_steps or config.steps) * passes
    through = refined if config.gradient == 'full' else passes
    iterations = config.refine_iterations
    again = 1 if config.checkpointing else 0
    forward, both = count.network(1), count.network(1, gradient=True)
    ascent = iterations * ((refined - through) * forward + through * (both + again * forward))
    parts = {
        'encode': count.encode(),
        'committed': steps * forward if config.committed_frames else 0.0,
        'rest': steps * forward if _imagines_rest(config) else 0.0,
        'candidates': steps * count.network(imagined),
        'decode_candidates': count.decode(imagined),
        'refinement': ascent + refined * forward * bool(iterations),
        'decode_refinement': iterations * count.decode(1, gradient=True)
        + count.decode(1) * bool(iterations),
    }
    return {**parts, 'total': sum(parts.values())}


def _imagines_rest(config: PlannerConfig) -> bool:
    """Whether the value of motions is set against that of coming to rest."""
    weighed = config.weights.get('value', 0.0) or config.refine_weights.get('value', 0.0)
    return bool(weighed) and COMBINATIONS[config.combination] is combine


class PartCounter:
    """Counts the parts of a plan on shapes alone."""

    def __init__(self, model: WorldModel, config: PlannerConfig) -> None:
        self.model, self.config = model, config
        sizes = model.config
        self._frame = (model.mean.shape[2], sizes.latent_height, sizes.latent_width)

    def encode(self) -> float:
        """Of one new frame, all views."""
        sizes = self.model.config
        rows = len(sizes.views) * sizes.height
        images = torch.zeros(1, 1, rows, sizes.width, 3, dtype=torch.uint8, device='meta')
        return _counted(lambda: self.model.encode(images))

    def network(self, batch: int, gradient: bool = False) -> float:
        """Of one evaluation for a batch of candidates, with the gradient in their actions."""
        sizes = self.model.config
        past, frames = sizes.history_frames, sizes.frames
        actions = _empty(batch, past - 1 + frames, FEATURES[sizes.action_features])
        actions.requires_grad_(gradient)
        width = getattr(sizes.backbone, 'text_dim', 0)
        text = _empty(batch, width) if width else None
        history = _empty(batch, past, *self._frame)
        noisy, time = _empty(batch, frames, *self._frame), _empty(batch)

        def evaluate() -> None:
            # The counter cannot follow a gradient to what goes into a module as it is.
            condition = Condition(history, actions * 1.0, text)
            raw = self.model.backbone(noisy, condition, time, time)
            if gradient:
                torch.autograd.grad(raw.sum(), actions)

        return _counted(evaluate, gradient)

    def decode(self, batch: int, gradient: bool = False) -> float:
        """Of the scored frames of a batch of futures, with the gradient in their latents.

        Nothing where latents are read as they are.
        """
        if self.config.relevancy == LATENTS:
            return 0.0
        latents = _empty(batch, self.model.config.frames, *self._frame)
        latents.requires_grad_(gradient)
        numbers, neighbours = self.config.score_frames, self.config.decode_neighbours
        views = view_numbers(self.config.score_views, self.model.config.views)

        def decode() -> None:
            pictures = decode_frames(self.model, latents, numbers, neighbours, views)
            if gradient:
                torch.autograd.grad(pictures.sum(), latents)

        return _counted(decode, gradient)


def _counted(work: Callable[[], object], gradient: bool = False) -> float:
    with torch.set_grad_enabled(gradient):
        return count_tflop(work)


def _empty(*shape: int) -> Tensor:
    return torch.empty(shape, device='meta')
