# SPDX-License-Identifier: Apache-2.0
"""Recorded episodes with instructions: what succeeded, and bad behaviour in plenty.

The same episode is a success for one instruction and a failure for the others. Played backwards
it takes back what it did; stopped halfway it never gets there. What happens after the last frame
nobody knows: a pick that is cut off while the gripper closes is no failure, so clips end early
enough before it. Episodes of 20 frames leave few clips then; 32 show an object put in the bowl.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from vidplan_core.heads.grounding import VERBS
from vidplan_core.language.instruction import PLACE, Instruction
from vidplan_training.collect.collect import NO_AIM
from vidplan_training.collect.success import BOWL, returns, successes
from vidplan_training.data.dataset import Shard
from vidplan_training.data.latents import Clips, Recordings, Statistics

PLAYED, REVERSED, STOPPED = 'played', 'reversed', 'stopped'
PLAYBACKS = (PLAYED, REVERSED, STOPPED)
PLAYBACK_SHARES = (0.6, 0.2, 0.2)
SHARE_OF_SUCCESS = 0.5
# Frames after a clip that must have been recorded: from a closing gripper to a lifted object.
KNOWN_AFTER = 6
SHARE_OF_ABSENT = 0.15  # of the failures: the object is not in the scene


@dataclass(frozen=True)
class Segment:
    """Frames `start` to `success` of an episode, in which the arm does what it set out to do."""

    verb: int
    kind: int
    start: int
    success: int


@dataclass(frozen=True)
class ClipDraw:
    """One clip with an instruction.

    episode: number among the loaded ones.
    frames: which recorded frames it shows, in order, (episode's length,).
    present: index into `frames`.
    verb, kind: of the instruction, numbers.
    playback: how the episode is played.
    """

    episode: int
    frames: np.ndarray
    present: int
    verb: int
    kind: int
    playback: str


class ValueEpisodes:
    """Latents, poses and truth of a split, in memory.

    known_after: frames after a clip that must have been recorded.
    of_the_cell: whether kinds are objects of the simulated cell, which have other names, too.
    """

    known_after = KNOWN_AFTER
    of_the_cell = True

    def __init__(self, found: Sequence[Shard], stats: Statistics, gamma: float) -> None:
        self.kinds: list[str] = list(found[0].meta['kinds'])
        self.gamma = gamma
        self._episodes = Recordings(found, stats)
        objects = [np.asarray(places, np.float32) for places in self._episodes.of('objects')]
        self.success = [
            successes(tool[None], places[None], self.kinds)[0]
            for tool, places in zip(self._episodes.tools(), objects, strict=True)
        ]
        self.present_kinds = [np.isfinite(places[0, :, 0]) for places in objects]

    def __len__(self) -> int:
        return len(self._episodes)

    @property
    def lengths(self) -> np.ndarray:
        """Frames of each episode."""
        return self._episodes.lengths

    def instruction(self, verb: int, kind: int, phrase: str = '') -> Instruction:
        """What is asked for; `phrase` names the object in other words than its kind."""
        destination = BOWL if VERBS[verb] == PLACE else None
        return Instruction(VERBS[verb], phrase or self.kinds[kind], destination)

    def values(self, episode: int, frames: np.ndarray) -> np.ndarray:
        """Value (frames, verbs, kinds) of an episode as it is played."""
        return returns(self.success[episode][frames], self.gamma)

    def segments(self, episode: int) -> list[Segment]:
        """From where the arm sets out for an object to each success there, by what was recorded.

        Raises:
            ValueError: nobody recorded what the arm was after.
        """
        aims, found = self._aims[episode], []
        for start, end in _runs(aims):
            reached = self.success[episode][start:end, :, max(aims[start], 0)]
            for verb in np.flatnonzero(reached.any(axis=0) & (aims[start] != NO_AIM)):
                success = start + int(reached[:, verb].argmax())
                found.append(Segment(int(verb), int(aims[start]), start, success))
        return found

    def draw(self, rng: np.random.Generator, ahead: int) -> ClipDraw:
        """A random clip with `ahead` frames after the present, and a random instruction.

        Raises:
            ValueError: episodes are too short to know what became of any clip.
        """
        needed = ahead + self.known_after
        long_enough = np.flatnonzero(self.lengths > needed)
        if not len(long_enough):
            raise ValueError(
                f'episodes of {self.lengths.max()} frames do not show what becomes of a clip of '
                f'{1 + ahead}; record {1 + needed} at least, better 32'
            )
        episode = int(rng.choice(long_enough))
        playback = str(rng.choice(PLAYBACKS, p=PLAYBACK_SHARES))
        frames = played(int(self.lengths[episode]), playback, rng)
        present = int(rng.integers(self.lengths[episode] - needed))
        # What the last frame of the clip is worth decides whether it is a success.
        worth = self.values(episode, frames)[present + ahead]
        verb, kind = self._instruction(rng, worth, self.present_kinds[episode])
        return ClipDraw(episode, frames, present, verb, kind, playback)

    def clips(self, draws: Sequence[ClipDraw], ages: Sequence[int], ahead: int) -> Clips:
        """Clips (batch, history + ahead) of draws; an episode begins at rest.

        Args:
            draws: of the clips.
            ages: how many frames before the present each history frame lies, its 0 last.
            ahead: frames after the present.
        """
        offsets = np.array([*(-age for age in ages), *range(1, ahead + 1)])
        frames = np.stack([d.frames[np.maximum(d.present + offsets, 0)] for d in draws])
        return self._episodes.clips(np.array([d.episode for d in draws]), frames)

    def values_of(self, draws: Sequence[ClipDraw], ahead: int, frames: int) -> Tensor:
        """Values (batch, frames) of the last `frames` frames of clips."""
        rows = []
        for d in draws:
            values = self.values(d.episode, d.frames)[:, d.verb, d.kind]
            last = d.present + ahead + 1
            rows.append(values[last - frames : last])
        return torch.from_numpy(np.stack(rows)).float()

    @cached_property
    def _aims(self) -> list[np.ndarray]:
        try:
            return self._episodes.of('aim')
        except FileNotFoundError as error:
            raise ValueError(
                f'{error.filename} is missing: what the arm was after was not recorded; collect '
                'these episodes anew'
            ) from error

    def _instruction(
        self, rng: np.random.Generator, worth: np.ndarray, seen: np.ndarray
    ) -> tuple[int, int]:
        """Verb and kind, of an instruction that comes true or of one that does not."""
        good = np.argwhere(worth > 0.0)
        if len(good) and rng.random() < SHARE_OF_SUCCESS:
            # Verbs equally often, though things are reached more often than picked.
            verb = rng.choice(np.unique(good[:, 0]))
            return int(verb), int(rng.choice(good[good[:, 0] == verb, 1]))
        verb = int(rng.integers(len(VERBS)))
        bowl = np.array([kind == BOWL for kind in self.kinds]) & (VERBS[verb] == PLACE)
        absent = (~seen) & (rng.random() < SHARE_OF_ABSENT)
        failed = (seen if not absent.any() else absent) & (worth[verb] == 0.0) & ~bowl
        if not failed.any():
            failed = ~seen & ~bowl
        return verb, int(rng.choice(np.flatnonzero(failed)))


def played(length: int, playback: str, rng: np.random.Generator) -> np.ndarray:
    """Which recorded frames are shown, (length,)."""
    frames = np.arange(length)
    if playback == REVERSED:
        return frames[::-1].copy()
    return np.minimum(frames, rng.integers(length)) if playback == STOPPED else frames


def _runs(values: np.ndarray) -> list[tuple[int, int]]:
    """Starts and ends of stretches of equal values."""
    starts = np.flatnonzero(np.diff(values, prepend=values[0] - 1))
    return list(zip(starts.tolist(), [*starts[1:].tolist(), len(values)]))
