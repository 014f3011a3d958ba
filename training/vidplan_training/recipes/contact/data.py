# SPDX-License-Identifier: Apache-2.0
"""Contact episodes and branches in memory, on the device that trains on them.

Past frames hold the measured closedness, new frames the commanded one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.geometry.se3 import quaternion_to_matrix
from vidplan_training.data.dataset import Shard, is_held_out
from vidplan_training.data.latents import LONGEST_STEP_M, Clips, Statistics
from vidplan_training.recipes.contact.annotate import EVERY, Annotator

AROUND_CLOSING, AROUND_LIFT = 5.0, 2.5  # times as often as other windows
SHARE_OF_GOALS = 0.3  # new frames that hold the goal of a command instead of its course
SHARE_OF_KEPT = 0.2  # chunks that keep the gripper by repeating what it measures


@dataclass(frozen=True, eq=False)
class Episodes:
    """Frames of all episodes, one after the other; (frames, ...) on one device.

    latents: normalised, float16; to_go: frames that the expert still needs, (frames, verbs,
    kinds); first, lengths: of every episode; group: number of the branch set that an episode
    belongs to, -1 for none; relevancy: of all kinds, (rows, kinds, views, rows, columns); seen:
    the row in which each frame is seen, -1 for none; scene: number of the shard of each frame.
    """

    latents: Tensor
    position: Tensor
    rotation: Tensor
    measured: Tensor
    commanded: Tensor
    goal: Tensor
    held: Tensor
    contact: Tensor
    phase: Tensor
    to_go: Tensor
    first: Tensor
    lengths: Tensor
    group: Tensor
    relevancy: Tensor
    seen: Tensor
    scene: Tensor
    kinds: tuple[str, ...]

    @property
    def device(self) -> torch.device:
        """Where the frames are."""
        return self.latents.device

    def chunk(self, where: Tensor, present: int, rng: torch.Generator | None = None) -> PoseChunk:
        """Poses of frames (batch, length) whose index `present` is the present.

        A generator mixes ways to command the same: the course of a command, its goal, and what
        is measured where the gripper shall stay as it is.
        """
        commanded = self.commanded[where]
        if rng is not None:
            commanded = self._commanded(where, present, rng)
        index = torch.arange(where.shape[1], device=self.device)
        closedness = torch.where(index > present, commanded, self.measured[where])
        return PoseChunk(self.position[where], self.rotation[where], closedness)

    def _commanded(self, where: Tensor, present: int, rng: torch.Generator) -> Tensor:
        draw = torch.rand(len(where), 1, generator=rng).to(self.device)
        commanded, goal = self.commanded[where], self.goal[where]
        # The command that leads to a frame is the one given at the frame before.
        aimed = torch.cat([goal[:, :1], goal[:, :-1]], 1)
        now = slice(present, None)
        still = (commanded[:, now] - goal[:, present : present + 1]).abs().amax(1) < 1e-3
        still &= (aimed[:, present + 1 :] - goal[:, present : present + 1]).abs().amax(1) < 1e-3
        kept = still[:, None] & (draw > 1.0 - SHARE_OF_KEPT)
        measured = self.measured[where][:, present : present + 1].expand_as(commanded)
        return torch.where(draw < SHARE_OF_GOALS, aimed, torch.where(kept, measured, commanded))

    def normalised(self, where: Tensor) -> Tensor:
        """Latents of frames as float32."""
        return self.latents[where].float()


@dataclass(frozen=True)
class Targets:
    """What new frames measured, each (batch, new frames)."""

    closedness: Tensor
    held: Tensor
    contact: Tensor


class Windows:
    """Windows of `history - 1 + frames + ahead` frames, closings more often than others."""

    def __init__(
        self, episodes: Episodes, history: int, frames: int, ahead: int = 0,
        looked_at: int | None = None,
    ) -> None:  # fmt: skip
        """Windows of all episodes; `looked_at` frames after their present relevancy is known."""
        self.episodes, self.history, self.frames = episodes, history, frames
        long_enough = [
            (first, first + n - frames - ahead + 1)
            for first, n in zip(episodes.first.tolist(), episodes.lengths.tolist(), strict=True)
            if n >= frames + ahead
        ]
        none = torch.zeros(0, dtype=torch.long)
        self.present = torch.cat([none, *(torch.arange(*ends) for ends in long_enough)])
        starts = (torch.full((end - first,), first) for first, end in long_enough)
        self.start = torch.cat([none, *starts])
        self.weight = self._weights(frames + ahead)
        if looked_at is not None:
            known = episodes.seen.cpu()[self.present + looked_at] >= 0
            self.present, self.start = self.present[known], self.start[known]
            self.weight = self.weight[known]

    def __len__(self) -> int:
        return len(self.present)

    def where(self, windows: Tensor, length: int | None = None) -> Tensor:
        """Frames (batch, history - 1 + length) of windows; an episode begins at rest."""
        offsets = torch.arange(1 - self.history, length or self.frames)
        index = self.present[windows][:, None] + offsets
        return torch.maximum(index, self.start[windows][:, None]).to(self.episodes.device)

    def closings(self) -> Tensor:
        """Windows whose present is the last open frame and whose end is closed."""
        commanded = self.episodes.commanded.cpu()
        ends = commanded[self.present + self.frames - 1]
        return ((commanded[self.present] < 0.01) & (ends > 0.99)).nonzero()[:, 0]

    def draw(self, count: int, rng: torch.Generator) -> Tensor:
        """Numbers of windows (count,), by their weights."""
        return torch.multinomial(self.weight, count, replacement=True, generator=rng)

    def clips(
        self, where: Tensor, rng: torch.Generator | None = None, offset: int = 0
    ) -> tuple[Clips, Targets]:
        """Clips of frames `where`, their present `offset` frames later, and what they measured."""
        part = where[:, offset : offset + self.history - 1 + self.frames]
        poses = self.episodes.chunk(part, self.history - 1, rng)
        new = part[:, self.history :]
        targets = Targets(
            self.episodes.measured[new],
            (self.episodes.held[new] >= 0).float(),
            self.episodes.contact[new].float(),
        )
        return Clips(self.episodes.normalised(part), poses), targets

    def _weights(self, length: int) -> Tensor:
        commanded, held = self.episodes.commanded.cpu(), self.episodes.held.cpu()
        index = self.present[:, None] + torch.arange(length)
        course = commanded[index]
        closing = (course.diff(dim=1) > 0.05).any(1) & (course[:, -1] > 0.9)
        before = torch.maximum(self.present[:, None] - torch.arange(4), self.start[:, None])
        lifting = (course[:, 0] > 0.9) & (commanded[before] < 0.9).any(1)
        grabbed = (held[index] >= 0).any(1) & (held[index] < 0).any(1)
        weight = torch.ones(len(index))
        weight[lifting | grabbed] = AROUND_LIFT
        weight[closing] = AROUND_CLOSING
        return weight


def number_of(shard: Shard) -> int:
    """A shard's number; episodes and branches of the same scenes share it."""
    return int(shard.folder.name.split('_')[1])


class Gathered:
    """Collects shards one by one, encoded as they come."""

    def __init__(
        self, annotator: Annotator, stats: Statistics, *, relevancy: bool = True
    ) -> None:
        """Gather on the device of the annotator; without relevancy no value can be trained."""
        self._annotator, self._stats, self._relevancy = annotator, stats, relevancy
        self._device = annotator.device
        self._parts: dict[tuple[int, str], dict[str, Tensor]] = {}
        self.kinds: tuple[str, ...] = ()

    def add(self, shard: Shard) -> None:
        """Encode a shard and keep what training needs of it."""
        position = shard.array('position')
        jumps = np.linalg.norm(np.diff(position, axis=1), axis=-1).max(axis=1)
        sound = np.isfinite(jumps) & (jumps < LONGEST_STEP_M)
        branches = shard.branches
        if branches:  # a set is sound as a whole or not at all
            sound = np.repeat(sound.reshape(-1, branches).all(1), branches)
        if not sound.any():
            return
        self.kinds = tuple(shard.meta['kinds'])
        arrays = {n: np.asarray(shard.array(n))[sound] for n in
                  ('position', 'quaternion', 'closedness', 'commanded', 'goal', 'held', 'contact',
                   'phase', 'to_go')}  # fmt: skip
        count, length = arrays['position'].shape[:2]
        found = {n: torch.from_numpy(a).flatten(0, 1) for n, a in arrays.items()}
        raw = torch.from_numpy(np.asarray(self._annotator.latents_of(shard))[sound])
        found['latents'] = self._normalised(raw.flatten(0, 1))
        found |= self._looked(shard, sound, branches, length)
        found['lengths'] = torch.full((count,), length)
        sets = torch.arange(count) // branches if branches else torch.full((count,), -1)
        found['set'] = sets
        self._parts[number_of(shard), shard.folder.name] = found

    def _looked(
        self, shard: Shard, sound: np.ndarray, branches: int, length: int
    ) -> dict[str, Tensor]:
        """Relevancy of a shard, and which row of it each frame is seen in; -1 for none."""
        kept = sound[::branches] if branches else sound
        if not self._relevancy:
            none = torch.zeros(0, 1, 1, 1, 1)
            return {'relevancy': none, 'seen': torch.full((int(sound.sum()) * length,), -1)}
        maps = torch.from_numpy(np.asarray(self._annotator.relevancy_of(shard))[kept])
        seen = torch.full((int(sound.sum()), length), -1)
        if branches:  # all branches of a set share their present
            seen[:, 1] = torch.arange(len(maps)).repeat_interleave(branches)
        else:
            seen[:, ::EVERY] = torch.arange(maps.shape[0] * maps.shape[1]).view(len(maps), -1)
        return {'relevancy': maps.flatten(0, 1), 'seen': seen.flatten()}

    def _normalised(self, raw: Tensor) -> Tensor:
        mean, std = (
            torch.tensor(values, device=self._device).reshape(1, -1, 1, 1)
            for values in (self._stats.mean, self._stats.std)
        )
        return ((raw.to(self._device).float() - mean) / std).half()

    def episodes(self, held_out: bool | None) -> Episodes:
        """Everything of one split, in the order of the shards; None for both splits."""
        every = sorted(self._parts)
        keys = [k for k in every if held_out in (None, is_held_out(k[0]))]
        keys = keys or every[-2:]
        parts = [self._parts[key] for key in keys]
        joined = {n: torch.cat([p[n] for p in parts]).to(self._device) for n in parts[0]
                  if n not in ('set', 'seen')}  # fmt: skip
        seen = _groups([p['seen'] for p in parts], [len(p['relevancy']) for p in parts])
        lengths = joined['lengths'].cpu()
        return Episodes(
            joined['latents'],
            joined['position'].float(),
            quaternion_to_matrix(joined['quaternion'].float()),
            joined['closedness'].float(),
            joined['commanded'].float(),
            joined['goal'].float(),
            joined['held'].long(),
            joined['contact'],
            joined['phase'].long(),
            joined['to_go'],
            lengths.cumsum(0) - lengths,
            lengths,
            _groups([part['set'] for part in parts]),
            joined['relevancy'],
            seen.to(self._device),
            torch.cat([torch.full((len(p['held']),), k[0]) for k, p in zip(keys, parts)]),
            self.kinds,
        )


def _groups(parts: Sequence[Tensor], sizes: Sequence[int] | None = None) -> Tensor:
    """Numbers of sets, or of rows of tables of some sizes, going on from part to part.

    -1 stays.
    """
    found, before = [], 0
    for index, numbers in enumerate(parts):
        found.append(torch.where(numbers >= 0, numbers + before, numbers))
        before += max(int(numbers.max()) + 1, 0) if sizes is None else sizes[index]
    return torch.cat(found)
