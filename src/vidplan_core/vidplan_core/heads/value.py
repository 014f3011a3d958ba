# SPDX-License-Identifier: Apache-2.0
"""The value head: how good a frame is for an instruction.

V = gamma^(F - t) * success in [0, 1], with F the frame of the success, so that it grows on the
way there (the paper's exponent has the wrong sign). Its distribution has 20 bins.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from vidplan_core.data.action import PoseChunk
from vidplan_core.errors import ModelError
from vidplan_core.heads.axes import beside_axes
from vidplan_core.heads.distribution.estimate import expectation
from vidplan_core.heads.grounding import VERBS, InstructionGrounding, ground
from vidplan_core.heads.inputs import HeadInput, of_frames
from vidplan_core.heads.network import Head, HeadConfig, load_head
from vidplan_core.heads.places import offsets
from vidplan_core.language.instruction import Instruction
from vidplan_core.language.semantic import SemanticScorer
from vidplan_core.world_model.world_model import Imagination, WorldModel

FOLDER = 'value'
POOLS = 4
FORGOTTEN = 0.3  # of the features of the views, while relations are trained
# Its embedding identifies whether the scorer is the one that a head was trained with.
PROBE_PHRASE, PROBE_NUMBERS, PROBE_TOLERANCE = 'bowl', 8, 0.02


def text_probe(scorer: SemanticScorer) -> tuple[float, ...]:
    """A few numbers of the scorer's text tower that a value head remembers."""
    numbers = scorer.encode_text([PROBE_PHRASE])[0, :PROBE_NUMBERS]
    return tuple(round(value, 4) for value in numbers.float().tolist())


def reads_as(scorer: SemanticScorer, known: Sequence[float]) -> bool:
    """Whether a scorer's text is what was known of it in training, as `text_probe` gives it.

    What remembers nothing takes any scorer.
    """
    found = torch.tensor(text_probe(scorer))
    return not known or torch.allclose(found, torch.tensor(known), atol=PROBE_TOLERANCE)


class Relations(nn.Module):
    """Reads where tool, target and destination are, what the hand feels, and what was looked at.

    Convolutions that are only modulated by such numbers learn slowly what a centimetre is worth.
    Of the words it reads the verb only: with all of them it learns scenes by heart. What it adds
    to the logits is nothing before it is trained.
    """

    def __init__(self, config: HeadConfig, looked: int) -> None:
        super().__init__()
        known = config.features + config.offsets + config.outcome + config.axes
        known += len(VERBS) if config.text else 0
        width, self.reads_axes = config.relations, config.axes > 0
        self.forgets = nn.Dropout(FORGOTTEN)
        self.layers = nn.Sequential(
            nn.Linear(looked + known, width), nn.SiLU(),
            nn.Linear(width, width), nn.SiLU(),
            nn.Linear(width, width), nn.SiLU(),
            nn.Linear(width, config.bin_count),
        )  # fmt: skip
        for parameter in self.layers[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, looked: Tensor, inputs: HeadInput) -> Tensor:
        """Logits (batch, frames, bins) beside features (batch, frames, numbers) of the views."""
        if self.reads_axes and inputs.axes is None:
            raise ModelError('this head reads how things lie and was given nothing of it')
        frames = looked.shape[1]
        verb = None if inputs.text is None else inputs.text[:, None, : len(VERBS)]
        verb = None if verb is None else verb.expand(-1, frames, -1)
        numbers = (inputs.actions, inputs.offsets, inputs.outcome, inputs.axes, verb)
        known = [part.to(looked) for part in numbers if part is not None]
        logits: Tensor = self.layers(torch.cat([self.forgets(looked), *known], -1))
        return logits


class ValueHead(Head):
    """Distribution of the value of each new frame."""

    def __init__(self, config: HeadConfig) -> None:
        super().__init__(config)
        width = config.widths[0]
        looked = (POOLS + 1) * width + config.embedding
        self.where = nn.Conv2d(width, POOLS, 1)
        self.relations = Relations(config, looked) if config.relations else None
        self.out = nn.Sequential(
            nn.Linear(looked, 4 * width),
            nn.SiLU(),
            nn.Linear(4 * width, config.bin_count),
        )

    def forward(self, inputs: HeadInput) -> Tensor:
        """Logits (batch, frames, bins)."""
        return self._logits(inputs, None)

    def _logits(self, inputs: HeadInput, frames: Sequence[int] | None) -> Tensor:
        """`forward`, of frames by their numbers from 0, of all if None."""
        return self.logits_of(self.looked(inputs, frames), inputs.known_of(frames))

    def looked(self, inputs: HeadInput, frames: Sequence[int] | None = None) -> Tensor:
        """Features (batch, frames, numbers) of what the views show.

        Of new frames by their numbers from 0, of all if None.
        """
        embedding = self.network.embedding(inputs)
        features = self.network.features(inputs, embedding, frames)
        embedding = of_frames(embedding, self.config.frames, frames)
        flat = features.flatten(0, 1)
        places = self.where(flat).flatten(2).softmax(dim=-1)
        pools = torch.einsum('bpn,bcn->bpc', places, flat.flatten(2)).flatten(1)
        pooled = torch.cat([pools, flat.mean(dim=(2, 3)), embedding], dim=1)
        return pooled.unflatten(0, features.shape[:2])

    def logits_of(self, looked: Tensor, inputs: HeadInput) -> Tensor:
        """Logits (batch, frames, bins) of features that `looked` gave."""
        logits: Tensor = self.out(looked)
        return logits if self.relations is None else logits + self.relations(looked, inputs)

    def logits(self, inputs: HeadInput, frames: Sequence[int] | None = None) -> Tensor:
        """Logits (batch, frames, bins) in the precision of the latents, at least float32.

        Of new frames by their numbers from 0, of all if None.
        """
        return self._wide(partial(self._logits, frames=frames), inputs)

    def value(self, inputs: HeadInput, frames: Sequence[int] | None = None) -> Tensor:
        """Expected value of new frames, as `logits`, (batch, frames); differentiable."""
        return self.value_of(self.logits(inputs, frames))

    def value_of(self, logits: Tensor) -> Tensor:
        """Expected value of predicted distributions (..., bins)."""
        if self.config.unit == 'value':
            return expectation(logits, self.bins, -1)
        worth = self.config.gamma ** self.bins.means
        worth[0], worth[-1] = 1.0, 0.0  # done, and never
        return (logits.softmax(-1) * worth.to(logits)).sum(-1)

    def frames_to_go(self, logits: Tensor) -> Tensor:
        """Expected frames to a success of distributions (..., bins) over frames."""
        if self.config.unit != 'frames':
            raise ModelError('this value head tells values, not frames')
        return expectation(logits, self.bins, -1)

    @property
    def sees_the_end(self) -> bool:
        """Whether it counts frames, whose first bin is a task that is done."""
        return self.config.unit == 'frames'

    def predict_done(self, imagination: Imagination, grounding: InstructionGrounding) -> Tensor:
        """Probability of no frames to go in each new frame, (batch, frames)."""
        if not self.sees_the_end:
            raise ModelError('this value head tells values, not frames')
        return self.logits(value_input(imagination, grounding)).softmax(-1)[..., 0]

    def predict_value(
        self, imagination: Imagination, grounding: InstructionGrounding,
        frames: Sequence[int] | None = None,
    ) -> Tensor:  # fmt: skip
        """`value` of what a world model imagined, for an instruction grounded before it.

        Of frames by their numbers in the chunk, of all new ones (from 1) if None.
        """
        new = None if frames is None else [frame - 1 for frame in frames]
        return self.value(value_input(imagination, grounding), new)

    def check_scorer(self, scorer: SemanticScorer) -> None:
        """Raise ModelError when the scorer's text is not what this head was trained with."""
        if not reads_as(scorer, self.config.text_probe):
            raise ModelError(
                'the value head was trained with another semantic scorer; train it again with '
                '`vidplan-train value-head`'
            )


def value_input(imagination: Imagination, grounding: InstructionGrounding) -> HeadInput:
    """What a value head reads of an imagination, for instructions grounded before it."""
    beside, turned, count = None, None, len(imagination.latents)
    if grounding.places is not None:
        beside = offsets(grounding.places.expand(count, -1, -1), imagination.chunk)
    if grounding.axes is not None:
        turned = beside_target(grounding.axes.expand(count, -1, -1), imagination.chunk)
    return HeadInput.of(imagination, grounding.text, grounding.maps, beside, turned)


def beside_target(axes: Tensor, chunk: PoseChunk) -> Tensor:
    """How the hand is turned beside the target in new frames, (batch, new frames, AXIS).

    Args:
        axes: (batch, 2, 4), as `InstructionGrounding` has them.
        chunk: flange poses (batch, frames), frame 0 the present.
    """
    rotation = chunk.rotation[:, 1:]
    return beside_axes(axes[:, None, 0].expand(*rotation.shape[:2], -1), rotation)


def value_inputs(
    scorer: SemanticScorer,
    model: WorldModel,
    imagination: Imagination,
    instructions: Sequence[Instruction],
) -> HeadInput:
    """`value_input` of imaginations of different scenes, each with an instruction of its own."""
    present = imagination.condition.history[:, -1]
    grounding = ground(scorer, model, present, imagination.chunk, instructions)
    return value_input(imagination, grounding)


def value_loss(logits: Tensor, values: Tensor, head: ValueHead) -> Tensor:
    """Mean cross-entropy of the bins of values (batch, frames) in [0, 1]."""
    flat = logits.float().flatten(0, 1)
    return functional.cross_entropy(flat, head.bins.index(values.float()).flatten())


def load_value(models: Path, device: str | torch.device = 'cpu') -> ValueHead:
    """Value head of a models folder; errors as `load_head`."""
    return load_head(ValueHead, models / FOLDER, device)
