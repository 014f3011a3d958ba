# SPDX-License-Identifier: Apache-2.0
"""What imagining costs: the network, the decoder and one plan, alone on one device.

A plan here is what DESIGN section 4 asks of the world model: six candidates in one batch, the
best of them, then refinement by gradient. What a future is worth is a fixed random pattern laid
over its last frame, in the latents or in the decoded pictures: as cheap as any reward, with a
true gradient through everything before it. Nothing here asks the device for a number, so a GPU
is never waited for inside a stage.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.planner.config import LATENTS, PlannerConfig
from vidplan_core.planner.motion.hermite import hermite_chunk
from vidplan_core.planner.motion.refine import refine
from vidplan_core.planner.objective.decoding import decode_frames, view_numbers
from vidplan_core.world_model.context import Context
from vidplan_core.world_model.sampling.sampler import GRADIENTS, SamplingConfig
from vidplan_core.world_model.world_model import WorldModel
from vidplan_eval.speed.reference_loop import ReferenceLoop
from vidplan_eval.speed.timing import Stage

# A flange above the middle of the table, pointing down; timing does not depend on it.
POSITION_M = (0.5, 0.0, 0.35)
STEP_M, RADIUS_M = 0.02, 0.13


@dataclass(frozen=True)
class EngineConfig:
    """What is imagined.

    Attributes:
        candidates: proposals of a plan, one batch.
        iterations: refinement steps of a plan.
        steps: numbers of sampling steps to plan with.
        value: `latent`, or `picture` for a reward that needs the last frame decoded.
        checkpointing: whether activations are recomputed in the backward pass.
        planned: how `as_planned` imagines and decodes.
    """

    candidates: int = 6
    iterations: int = 5
    steps: tuple[int, ...] = (1, 2, 4)
    value: str = 'latent'
    checkpointing: bool = False
    planned: PlannerConfig = field(default_factory=PlannerConfig)


class Engine:
    """A world model with the tensors of one planning problem on its device."""

    def __init__(
        self, model: WorldModel, config: EngineConfig, reference: ReferenceLoop | None = None
    ) -> None:
        """Make up a past, candidates and a pattern, the same for every run."""
        self.reference = reference
        self.model, self.config = model, config
        self.device = model.mean.device
        generator = torch.Generator().manual_seed(0)

        def random(*shape: int) -> Tensor:
            return torch.randn(shape, generator=generator).to(model.mean)

        sizes = model.config
        self._frame = (model.mean.shape[2], sizes.latent_height, sizes.latent_width)
        self._picture = (len(sizes.views), 3, sizes.height, sizes.width)
        history = sizes.history_frames
        self.position = torch.tensor(POSITION_M, device=self.device)
        self.rotation = torch.diag(torch.tensor([1.0, -1.0, -1.0], device=self.device))
        self.rest = torch.zeros(3, device=self.device)
        self.open = torch.zeros((), device=self.device)
        self.context = Context(
            random(1, history, *self._frame),
            self._chunk(self.rest[None], history),
            ages=sizes.history_ages,
        )
        self.images = (
            torch.rand(1, 1, len(sizes.views) * sizes.height, sizes.width, 3, generator=generator)
            .mul(255)
            .byte()
            .to(self.device)
        )
        self.motions = 0.05 * torch.randn(config.candidates, 3, generator=generator).to(
            self.device
        )
        self.noise = model.noise(0, sizes.frames)
        self.imagined = random(config.candidates, sizes.frames, *self._frame)
        self.pattern = random(*(self._frame if config.value == 'latent' else self._picture))
        self.time = torch.zeros(1, device=self.device)

    def stages(self) -> Iterator[tuple[tuple[str, ...], Stage]]:
        """Yield path in the result and function of every stage."""
        yield ('forward',), partial(self.forward, 1)
        yield ('forward_batch',), partial(self.forward, self.config.candidates)
        yield ('encode',), self.encode
        yield ('decode',), partial(self.decode, 1)
        yield ('decode_all',), partial(self.decode, self.model.config.frames - 1)
        for steps in self.config.steps:
            yield ('candidates', str(steps)), partial(self.candidates, SamplingConfig(steps))
        for steps in self.config.steps:
            for gradient in GRADIENTS:
                sampling = SamplingConfig(
                    steps, gradient=gradient, checkpointing=self.config.checkpointing
                )
                yield ('plan', str(steps), gradient), partial(self.plan, sampling)
        yield from self._beside_reference()

    def _beside_reference(self) -> Iterator[tuple[tuple[str, ...], Stage]]:
        """One and all candidates as they are planned, and by a plain loop, in one step each."""
        if self.reference is None:
            return
        for batch in (1, self.config.candidates):
            yield ('as_planned', str(batch)), partial(self.as_planned, batch)
            yield ('reference', str(batch)), partial(self.by_reference, batch)

    # The stages

    @torch.no_grad()
    def forward(self, batch: int) -> Tensor:
        """One evaluation of the network for a batch of candidates."""
        condition = self.model.condition(
            self.context.expand(batch), self._chunk(self.motions[:1].expand(batch, -1))
        )
        network = self.model.network(condition)
        noise, time = self.noise.expand(batch, -1, -1, -1, -1), self.time.expand(batch)
        return network(noise, time, time)

    @torch.no_grad()
    def imagine(self, sampling: SamplingConfig) -> Tensor:
        """Latents of all candidates, (candidates, frames, ...)."""
        return self.model.imagine(self.context, self._chunk(self.motions), sampling).latents

    @torch.no_grad()
    def as_planned(self, batch: int) -> Tensor:
        """From a new picture to the scored frames of what is worth imagining of a batch.

        Decoded, unless latents are read as they are.

        The same number of steps as the reference takes, whatever the planner takes.
        """
        self.encode()
        planned = self.config.planned
        chunk = self._chunk(self.motions[: min(batch, planned.shortlist or batch)])
        latents = self.model.imagine(self.context, chunk, SamplingConfig(1)).latents
        if planned.relevancy == LATENTS:
            return latents[:, list(planned.score_frames)]
        views = view_numbers(planned.score_views, self.model.config.views)
        return decode_frames(
            self.model, latents, planned.score_frames, planned.decode_neighbours, views
        )

    def by_reference(self, batch: int) -> None:
        """The same candidates one after the other, everything encoded and decoded."""
        for _ in range(batch):
            self.one_by_reference()

    def one_by_reference(self) -> None:
        """One candidate by the plain loop."""
        assert self.reference is not None
        with self.reference.general_attention():
            self.reference.chunk(1)

    @torch.no_grad()
    def encode(self) -> Tensor:
        """Latents of a new observation, all views."""
        return self.model.encode(self.images)

    @torch.no_grad()
    def decode(self, frames: int) -> Tensor:
        """Pictures of the last frames of every candidate, all views."""
        return self.model.decode(self.imagined[:, -frames:])

    @torch.no_grad()
    def candidates(self, sampling: SamplingConfig) -> Tensor:
        """Imagine all candidates in one batch and score them, (candidates,)."""
        return self.value(self.motions, sampling)

    def plan(self, sampling: SamplingConfig) -> Tensor:
        """The refined best candidate, (1, 3)."""
        scores = self.candidates(sampling)
        best = self.motions[scores.argmax(keepdim=True)]
        return refine(
            lambda motion: (self.value(motion, sampling)[0], motion),
            best,
            iterations=self.config.iterations,
            step=STEP_M,
            radius=RADIUS_M,
        ).motion

    def value(self, motions: Tensor, sampling: SamplingConfig) -> Tensor:
        """What motions (candidates, 3) are worth, (candidates,), differentiable in them."""
        if self.device.type == 'cuda':
            # What CUDA graphs returned before may be overwritten from here on.
            torch.compiler.cudagraph_mark_step_begin()
        chunk = self._chunk(motions)
        context = self.context.expand(len(motions))
        condition = self.model.condition(context, chunk)
        noise = self.noise.expand(len(motions), -1, -1, -1, -1)
        data, _ = self.model.sample(condition, noise, sampling)
        latents = self.model.from_data(data, context.latents[:, -1:])[:, -1:]
        last = latents if self.config.value == 'latent' else self.model.decode(latents)
        return (last[:, 0] * self.pattern).flatten(1).mean(dim=1)

    def _chunk(self, motions: Tensor, frames: int | None = None) -> PoseChunk:
        sizes = self.model.config
        return hermite_chunk(
            self.position,
            self.rotation,
            self.rest,
            motions,
            torch.zeros_like(motions),
            self.open,
            frames or sizes.frames,
            sizes.frame_period_s,
        )
