# SPDX-License-Identifier: Apache-2.0
"""Robots' episodes with the labels of their data sets: what was asked for, and whether it came.

Of a successful episode the last frame fulfils its instruction; no frame fulfils another one, and
none of a failed episode fulfils its own. Episodes without words that can be grounded, or without
a label, say nothing of values; they are left to the uncertainty head.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from vidplan_core.errors import ConfigError, InstructionError
from vidplan_core.heads.grounding import VERBS
from vidplan_core.language.instruction import Instruction, parse_instruction
from vidplan_training.data.dataset import Shard
from vidplan_training.data.latents import SUCCESS, TEXTS, Recordings, Statistics
from vidplan_training.recipes.heads.value_episodes import (
    SHARE_OF_SUCCESS,
    Segment,
    ValueEpisodes,
)


class NoLabelsError(ConfigError):
    """No episode says what was asked for and whether it came."""


def value_episodes(found: Sequence[Shard], stats: Statistics, gamma: float) -> ValueEpisodes:
    """Episodes to learn values from: of the simulated cell, or with a data set's labels.

    Raises NoLabelsError when no robot's episode can be used.
    """
    if 'kinds' in found[0].meta:
        return ValueEpisodes(found, stats, gamma)
    return LabelledEpisodes(found, stats, gamma)


class LabelledEpisodes(ValueEpisodes):
    """A robot's labelled episodes; a `kind` is the number of a distinct instruction.

    The end of an episode is known, so clips may reach it.
    """

    known_after = 0
    of_the_cell = False

    def __init__(self, found: Sequence[Shard], stats: Statistics, gamma: float) -> None:
        usable, asked = _usable(found)
        self.gamma = gamma
        self._episodes = Recordings(usable, stats)
        self.asked = list(dict.fromkeys(asked.values()))
        self.kinds = [wanted.target for wanted in self.asked]
        own = [self.asked.index(asked[text]) for text in self._episodes.texts]
        done = self._episodes.noted(SUCCESS)
        self.success = [
            self._successes(length, kind, bool(success))
            for length, kind, success in zip(self.lengths, own, done, strict=True)
        ]
        self.present_kinds = [np.ones(len(self.asked), bool)] * len(self)

    def instruction(self, verb: int, kind: int, phrase: str = '') -> Instruction:
        """What was asked for, by its number; it has a verb of its own."""
        return self.asked[kind]

    def segments(self, episode: int) -> list[Segment]:
        """From the first frame of a successful episode to its last."""
        return [
            Segment(int(verb), int(kind), 0, int(self.lengths[episode]) - 1)
            for verb, kind in np.argwhere(self.success[episode][-1])
        ]

    def _successes(self, length: int, kind: int, success: bool) -> np.ndarray:
        """Which frames fulfil which instruction, bool (frames, verbs, instructions)."""
        fulfilled = np.zeros((length, len(VERBS), len(self.asked)), bool)
        fulfilled[-1, VERBS.index(self.asked[kind].verb), kind] = success
        return fulfilled

    def _instruction(
        self, rng: np.random.Generator, worth: np.ndarray, seen: np.ndarray
    ) -> tuple[int, int]:
        """An instruction that comes true in the clip, or any that does not."""
        good = np.argwhere(worth > 0.0)
        if len(good) and rng.random() < SHARE_OF_SUCCESS:
            verb, kind = good[rng.integers(len(good))]
            return int(verb), int(kind)
        failed = [k for k in range(len(self.asked)) if k not in good[:, 1]]
        kind = int(rng.choice(failed or range(len(self.asked))))
        return VERBS.index(self.asked[kind].verb), kind


def _usable(found: Sequence[Shard]) -> tuple[list[Shard], dict[str, Instruction]]:
    """Shards of labelled episodes whose words can be grounded, and the words' meanings."""
    usable, asked, lost = [], {}, Counter[str]()
    for shard in found:
        (text,), (success,) = shard.meta[TEXTS], shard.meta[SUCCESS]
        wanted = _understood(text)
        if wanted is not None and success is not None:
            usable.append(shard)
            asked[text] = wanted
        else:
            lost['no label' if wanted is not None else 'no words that are understood'] += 1
    reasons = ', '.join(f'{count} {reason}' for reason, count in lost.items())
    if lost:
        print(f'{len(usable)} of {len(found)} episodes are labelled; left out: {reasons}')
    if not usable:
        raise NoLabelsError(
            f'none of {len(found)} episodes says what was asked and done: {reasons}'
        )
    return usable, asked


def _understood(text: str) -> Instruction | None:
    try:
        wanted = parse_instruction(text)
    except InstructionError:
        return None
    known = wanted.verb in VERBS and not wanted.by_place  # which of several, nobody recorded
    return wanted if known else None
