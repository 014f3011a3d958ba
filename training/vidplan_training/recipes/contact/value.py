# SPDX-License-Identifier: Apache-2.0
"""A value that looks: how many frames are left to a success, from what is imagined.

It learns from branches of one moment, which differ in what they come to, from attempts and their
failures, from true and from imagined pictures; and in a part of the samples without places and
poses, so that the picture counts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from vidplan_core.heads.axes import AXIS
from vidplan_core.heads.grounding import MAPS, VERBS
from vidplan_core.heads.inputs import HeadInput
from vidplan_core.heads.network import HeadConfig
from vidplan_core.heads.places import FEATURES
from vidplan_core.heads.value import ValueHead, text_probe, value_input
from vidplan_core.language.instruction import PICK, PLACE
from vidplan_core.language.semantic import SemanticScorer
from vidplan_core.world_model.context import Context
from vidplan_core.world_model.outcome import NUMBERS
from vidplan_core.world_model.sampling.sampler import MEAN
from vidplan_core.world_model.world_model import Imagination, WorldModel
from vidplan_training.collect.contact.branches import BRANCHES as BRANCHES
from vidplan_training.data.latents import Clips
from vidplan_training.recipes.contact.data import Episodes, Windows
from vidplan_training.recipes.contact.grounder import Grounder
from vidplan_training.recipes.contact.model import fed_back
from vidplan_training.recipes.world_model.recipe import split_clip

BINS, MOST_FRAMES, GAMMA = 24, 64.0, 0.97
RELATIONS = 256
NEVER = 95.0
SHARE_TRUE, SHARE_BLIND, SHARE_STILL = 0.35, 0.3, 0.3  # true pictures; without places; poses
SHARE_ABSENT, SHARE_PICK = 0.08, 0.35
RANKING_WEIGHT, RANKING_FRAMES = 0.5, 4.0
PICTURES = ('imagined', 'true', 'present')
PICK_NUMBER, PLACE_NUMBER = VERBS.index(PICK), VERBS.index(PLACE)


@dataclass(frozen=True, eq=False)
class ValueBatch:
    """Rows to learn from.

    to_go: frames to a success from every new frame, (rows, frames); NaN where unknown.
    group: number of the branch set, (rows,); -1 for none.
    """

    inputs: HeadInput
    to_go: Tensor
    group: Tensor

    def rows(self, index: Tensor) -> ValueBatch:
        """Some rows."""
        return ValueBatch(self.inputs.rows(index), self.to_go[index], self.group[index])

    @staticmethod
    def cat(parts: list[ValueBatch]) -> ValueBatch:
        """Join along the rows."""
        return ValueBatch(
            HeadInput.cat([part.inputs for part in parts]),
            torch.cat([part.to_go for part in parts]),
            torch.cat([part.group for part in parts]),
        )


def value_config(model: WorldModel, scorer: SemanticScorer, widths: tuple[int, ...]) -> HeadConfig:
    """Sizes of a value head over frames for a world model and a scorer."""
    config = model.config
    return HeadConfig(
        model.mean.shape[2], config.frames - 1, 17, config.latent_height, config.latent_width,
        widths=widths, text=len(VERBS) + 2 * len(scorer.encode_text(['bowl'])[0]), maps=MAPS,
        offsets=FEATURES, bins='power', bin_count=BINS, bin_high=MOST_FRAMES, gamma=GAMMA,
        text_probe=text_probe(scorer), unit='frames', outcome=NUMBERS, axes=AXIS,
        relations=RELATIONS,
    )  # fmt: skip


def rows_of(sets: Tensor) -> Tensor:
    """Numbers of the rows of branch sets (sets,), where all sets come first."""
    return (sets[:, None] * BRANCHES + torch.arange(BRANCHES)).flatten()


class ValueSampler:
    """Makes samples of episodes and branches; the same for the same generator."""

    def __init__(
        self, model: WorldModel, scorer: SemanticScorer, episodes: Episodes
    ) -> None:
        config = model.config
        self.model, self.episodes = model, episodes
        self.grounder = Grounder(scorer, model, episodes.kinds)
        sizes = (config.history_frames, config.frames)
        self.windows, self.longer = (
            Windows(episodes, *sizes, ahead, looked_at=0) for ahead in (0, 2)
        )
        sets = episodes.group >= 0
        self.sets = episodes.first[sets].unflatten(0, (-1, BRANCHES))

    def make(self, rng: torch.Generator, sets: int, others: int) -> ValueBatch:
        """ValueBatch of random branch sets and of random windows of all episodes."""
        chosen = torch.randint(len(self.sets), (sets,), generator=rng)
        parts = [self.branches(chosen, rng)]
        if others:
            parts.append(self._others(rng, others))
        return ValueBatch.cat(parts)

    def branches(
        self, chosen: Tensor, rng: torch.Generator | None = None, picture: str = ''
    ) -> ValueBatch:
        """ValueBatch of branch sets; `picture` fixes what the head is shown."""
        first = self.sets[chosen].flatten()
        history, frames = self.model.config.history_frames, self.model.config.frames
        where = first[:, None] + torch.arange(history - 1 + frames)
        where = where.to(self.episodes.device)
        clips, _ = self.windows.clips(where, rng)
        known = ~self.episodes.to_go[where[:, -1], PLACE_NUMBER].isnan()
        kind = known.float().argmax(-1)
        verb = self._verbs(len(where), rng)
        if rng is not None:  # the branches of a set are compared: one verb for all
            verb = verb[::BRANCHES].repeat_interleave(BRANCHES)
        group = chosen.repeat_interleave(BRANCHES).to(where.device)
        return self._lessons(clips, where[:, history:], verb, kind, group, rng, picture)

    def _verbs(self, rows: int, rng: torch.Generator | None) -> Tensor:
        verb = torch.full((rows,), PLACE_NUMBER, device=self.episodes.device)
        if rng is not None:
            pick = torch.rand(rows, generator=rng) < SHARE_PICK
            verb[pick.to(verb.device)] = PICK_NUMBER
        return verb

    def _others(self, rng: torch.Generator, rows: int) -> ValueBatch:
        history = self.model.config.history_frames
        hop = 2 * int(torch.randint(2, (), generator=rng))
        windows = self.longer if hop else self.windows
        where = windows.where(windows.draw(rows, rng), windows.frames + hop)
        if hop:
            clips, _ = fed_back(self.model, windows, where, hop, rng)
        else:
            clips, _ = windows.clips(where, rng)
        new = where[:, history + hop :]
        kind = self._kinds(new[:, -1], rng)
        verb = torch.randint(len(VERBS), (rows,), generator=rng).to(where.device)
        group = torch.full_like(kind, -1)
        return self._lessons(clips, new, verb, kind, group, rng, '', hop)

    def _kinds(self, last: Tensor, rng: torch.Generator) -> Tensor:
        """A kind for every row: one whose frames to go are known, now and then an absent one."""
        weight = (~self.episodes.to_go[last, PLACE_NUMBER].isnan()).float().cpu()
        absent = torch.rand(len(last), generator=rng) < SHARE_ABSENT
        weight[absent | (weight.sum(1) == 0)] = 1.0
        weight[:, self.episodes.kinds.index('bowl')] = 0.0
        return torch.multinomial(weight, 1, generator=rng)[:, 0].to(last.device)

    @torch.no_grad()
    def _lessons(
        self, clips: Clips, new: Tensor, verb: Tensor, kind: Tensor, group: Tensor,
        rng: torch.Generator | None, picture: str, hop: int = 0,
    ) -> ValueBatch:  # fmt: skip
        model = self.model
        parts = split_clip(clips, model.config.history_frames)
        imagination = model.imagine(Context(parts.history, parts.past), parts.chunk, MEAN, 3)
        look = new[:, 0] - 1 - hop  # the last frame that is seen, not imagined
        relevancy = self.episodes.relevancy[self.episodes.seen[look]]
        looked_from = self.episodes.chunk(look[:, None], 0)
        grounding = self.grounder.read(relevancy, looked_from, verb, kind, self._words(rng))
        inputs = value_input(imagination, grounding)
        inputs = shown(model, imagination, inputs, parts.future[:, 1:], picture, rng)
        to_go = self.episodes.to_go[new, verb[:, None], kind[:, None]]
        # What is not in the scene is never reached, picked or placed.
        seen = ~self.episodes.to_go[new[:, -1], :, kind].isnan().all(1)
        to_go = torch.where(seen[:, None] | (group >= 0)[:, None], to_go, self._absent(new, kind))
        return ValueBatch(inputs.detach(), to_go, group)

    def _absent(self, new: Tensor, kind: Tensor) -> Tensor:
        """`NEVER` for kinds that are nowhere in an episode, NaN for what nobody computed."""
        there = ~self.present_kinds[new[:, -1], kind]
        return torch.where(there, NEVER, float('nan'))[:, None].expand(new.shape)

    @property
    def present_kinds(self) -> Tensor:
        """Which kinds are in the scene of a frame's episode, (frames, kinds) bool."""
        if not hasattr(self, '_present'):
            known = ~self.episodes.to_go[:, PLACE_NUMBER].isnan()
            number = torch.repeat_interleave(
                torch.arange(len(self.episodes.lengths)), self.episodes.lengths
            ).to(known.device)
            counts = torch.zeros(len(self.episodes.lengths), known.shape[1], device=known.device)
            counts.index_add_(0, number, known.float())
            self._present = (counts > 0)[number]
        return self._present

    def _words(self, rng: torch.Generator | None) -> tuple[str, ...]:
        from vidplan_training.recipes.heads.value import phrases_of

        if rng is None or float(torch.rand((), generator=rng)) < 0.5:
            return self.episodes.kinds
        found = []
        for kind in self.episodes.kinds:
            words = phrases_of(kind)
            found.append(words[int(torch.randint(len(words), (), generator=rng))])
        return tuple(found)


def shown(
    model: WorldModel, imagination: Imagination, inputs: HeadInput, truth: Tensor,
    picture: str, rng: torch.Generator | None,
) -> HeadInput:  # fmt: skip
    """Inputs with the picture that a head is shown, and, for training, with things withheld.

    'present' shows the present instead of what is imagined, and reads from it what a hand that
    stays would measure.
    """
    rows, device = len(truth), truth.device
    true = torch.zeros(rows, dtype=torch.bool)
    if rng is not None:
        true = torch.rand(rows, generator=rng) < SHARE_TRUE
    if picture == 'true':
        true[:] = True
    if picture == 'present':
        still = model.unmoved(imagination)
        assert still.outcome is not None
        return replace(inputs, predicted=still.latents[:, 1:], outcome=still.outcome.numbers)
    mask = true.to(device)
    outcome = model.read_outcome(truth, imagination.condition)
    assert outcome is not None
    assert inputs.outcome is not None
    predicted = torch.where(mask[:, None, None, None, None], truth, inputs.predicted)
    numbers = torch.where(mask[:, None, None], outcome.numbers, inputs.outcome)
    inputs = replace(inputs, predicted=predicted, outcome=numbers)
    return inputs if rng is None else withheld(inputs, rng)


def withheld(inputs: HeadInput, rng: torch.Generator) -> HeadInput:
    """Inputs that lack places, poses or both in some rows."""
    rows, device = len(inputs), inputs.actions.device
    places = (torch.rand(rows, 1, 1, generator=rng) >= SHARE_BLIND).float().to(device)
    poses = (torch.rand(rows, 1, 1, generator=rng) >= SHARE_STILL).float().to(device)
    assert inputs.offsets is not None
    assert inputs.axes is not None
    return replace(
        inputs, offsets=inputs.offsets * places, axes=inputs.axes * places,
        actions=inputs.actions * poses,
    )  # fmt: skip


def frames_loss(head: ValueHead, samples: ValueBatch) -> Tensor:
    """Cross-entropy of the bins of frames to go, and the order of branches of a set."""
    return loss_of(head, head(samples.inputs).float(), samples)


def loss_of(head: ValueHead, logits: Tensor, samples: ValueBatch) -> Tensor:
    """`frames_loss` of logits (rows, frames, bins) that a head gave."""
    known = ~samples.to_go.isnan()
    number = head.bins.index(torch.where(known, samples.to_go, 0.0))
    each = functional.cross_entropy(logits.flatten(0, 1), number.flatten(), reduction='none')
    loss = (each * known.flatten()).sum() / known.sum().clamp_min(1)
    return loss + RANKING_WEIGHT * ranking_loss(head.frames_to_go(logits)[:, -1], samples)


def ranking_loss(expected: Tensor, samples: ValueBatch) -> Tensor:
    """How often a branch that needs longer is expected to need less, softly."""
    true, group = samples.to_go[:, -1], samples.group
    same = (group[:, None] == group) & (group >= 0)
    longer = same & (true[None] > true[:, None] + 1.0)
    gap = (expected[None] - expected[:, None]) / RANKING_FRAMES
    losses = functional.softplus(-gap)
    return (losses * longer).sum() / longer.sum().clamp_min(1)
