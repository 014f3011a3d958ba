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

import numpy as np
import torch
from torch import Tensor

from vidplan_core.action import PoseChunk
from vidplan_core.reward.instruction import PLACE, Instruction
from vidplan_core.reward.reading import VERBS
from vidplan_core.se3 import quaternion_to_matrix
from vidplan_training.dataset import Shard
from vidplan_training.latents import LATENTS, LONGEST_STEP_M, Clips, Statistics
from vidplan_training.success import BOWL, returns, successes, tool_positions

PLAYED, REVERSED, STOPPED = 'played', 'reversed', 'stopped'
WAYS = (PLAYED, REVERSED, STOPPED)
SHARE_OF_WAYS = (0.6, 0.2, 0.2)
SHARE_OF_SUCCESS = 0.5
# Frames after a clip that must have been recorded: from a closing gripper to a lifted object.
KNOWN_AFTER = 6
SHARE_OF_ABSENT = 0.15  # of the failures: the object is not in the scene


@dataclass(frozen=True)
class Draw:
    """One clip with an instruction.

    episode: number among the loaded ones.
    frames: which recorded frames it shows, in order, (episode's length,).
    present: index into `frames`.
    verb, kind: of the instruction, numbers.
    way: how the episode is played.
    """

    episode: int
    frames: np.ndarray
    present: int
    verb: int
    kind: int
    way: str


class ValueEpisodes:
    """Latents, poses and truth of a split, in memory."""

    def __init__(self, found: Sequence[Shard], stats: Statistics, gamma: float) -> None:
        self.kinds: list[str] = list(found[0].meta['kinds'])
        self.gamma = gamma
        position = _load(found, 'position')
        sound = np.linalg.norm(np.diff(position, axis=1), axis=-1).max(axis=1) < LONGEST_STEP_M
        self._latents = np.concatenate([s.array(LATENTS) for s in found])[sound]
        self._position = torch.from_numpy(position[sound])
        self._rotation = quaternion_to_matrix(
            torch.from_numpy(_load(found, 'quaternion')[sound])
        )
        self._closedness = torch.from_numpy(_load(found, 'closedness')[sound])
        self.objects = _load(found, 'objects')[sound]
        tool = tool_positions(position[sound], self._rotation)
        self.success = successes(tool, self.objects, self.kinds)
        self.present_kinds = np.isfinite(self.objects[:, 0, :, 0])
        shape = (1, 1, -1, 1, 1)
        self._mean = torch.tensor(stats.mean).reshape(shape)
        self._std = torch.tensor(stats.std).reshape(shape)

    def __len__(self) -> int:
        return len(self.success)

    @property
    def length(self) -> int:
        """Frames of an episode."""
        return self.success.shape[1]

    def instruction(self, verb: int, kind: int, phrase: str = '') -> Instruction:
        """What is asked for; `phrase` names the object in other words than its kind."""
        destination = BOWL if VERBS[verb] == PLACE else None
        return Instruction(VERBS[verb], phrase or self.kinds[kind], destination)

    def values(self, episode: int, frames: np.ndarray) -> np.ndarray:
        """Value (frames, verbs, kinds) of an episode as it is played."""
        return returns(self.success[episode][frames], self.gamma)

    def draw(self, rng: np.random.Generator, ahead: int) -> Draw:
        """A random clip with `ahead` frames after the present, and a random instruction.

        Raises:
            ValueError: episodes are too short to know what became of any clip.
        """
        if self.length <= ahead + KNOWN_AFTER:
            raise ValueError(
                f'episodes of {self.length} frames do not show what becomes of a clip of '
                f'{1 + ahead}; record {1 + ahead + KNOWN_AFTER} at least, better 32'
            )
        episode = int(rng.integers(len(self)))
        way = str(rng.choice(WAYS, p=SHARE_OF_WAYS))
        frames = played(self.length, way, rng)
        present = int(rng.integers(self.length - ahead - KNOWN_AFTER))
        # What the last frame of the clip is worth decides whether it is a success.
        worth = self.values(episode, frames)[present + ahead]
        verb, kind = self._instruction(rng, worth, self.present_kinds[episode])
        return Draw(episode, frames, present, verb, kind, way)

    def clips(self, draws: Sequence[Draw], history: int, ahead: int) -> Clips:
        """Clips (batch, history + ahead) of draws; an episode begins at rest."""
        offsets = np.arange(1 - history, ahead + 1)
        frames = np.stack([d.frames[np.maximum(d.present + offsets, 0)] for d in draws])
        episode = np.array([d.episode for d in draws])[:, None]
        raw = torch.from_numpy(self._latents[episode, frames]).float()
        where = (torch.from_numpy(episode), torch.from_numpy(frames))
        poses = PoseChunk(self._position[where], self._rotation[where], self._closedness[where])
        return Clips((raw - self._mean) / self._std, poses)

    def values_of(self, draws: Sequence[Draw], ahead: int, frames: int) -> Tensor:
        """Values (batch, frames) of the last `frames` frames of clips."""
        rows = []
        for d in draws:
            values = self.values(d.episode, d.frames)[:, d.verb, d.kind]
            last = d.present + ahead + 1
            rows.append(values[last - frames : last])
        return torch.from_numpy(np.stack(rows)).float()

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


def played(length: int, way: str, rng: np.random.Generator) -> np.ndarray:
    """Which recorded frames are shown, (length,)."""
    frames = np.arange(length)
    if way == REVERSED:
        return frames[::-1].copy()
    return np.minimum(frames, rng.integers(length)) if way == STOPPED else frames


def _load(found: Sequence[Shard], name: str) -> np.ndarray:
    return np.concatenate([shard.array(name) for shard in found]).astype(np.float32)
