# SPDX-License-Identifier: Apache-2.0
"""Recorded looks as a grasp head sees them: each thing in them named, looked up and placed."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.heads.grounding import InstructionGrounding, ground_dense
from vidplan_core.language.instruction import PLACE, Instruction
from vidplan_core.language.semantic import SemanticScorer
from vidplan_core.world_model.world_model import WorldModel
from vidplan_sim.objects.catalogue import kind_named
from vidplan_training.collect.contact.episode import KIND_NAMES
from vidplan_training.collect.scene_files import Recorded, SceneFiles
from vidplan_training.recipes.recorded_scenes import looked_once, poses_of

# What is seen for certain and not farther from where it is than this, m, is learnt from.
CERTAIN, NEAR_M = 0.5, 0.08


@dataclass(frozen=True, eq=False)
class GraspMoments:
    """Looks, and the things that were named in them.

    images: uint8 (looks, views, height, width, 3); position (looks, 3), rotation (looks, 3, 3),
    measured (looks,): flange and gripper; look: number of the look (things,); maps: relevancy of
    the thing and of the bowl, float16 (things, 2, views, rows, columns); places: of both, (things,
    2, 4); axes: likewise; grasp: where the fingers should close, (things, 3); closing: as
    `GraspLookRecorder` has it, (things, 2); scene, kind: numbers (things,).
    """

    images: Tensor
    position: Tensor
    rotation: Tensor
    measured: Tensor
    look: Tensor
    maps: Tensor
    places: Tensor
    axes: Tensor
    grasp: Tensor
    closing: Tensor
    scene: Tensor
    kind: Tensor

    def __len__(self) -> int:
        return len(self.look)

    def rows(self, index: Tensor) -> GraspMoments:
        """Some of the things, with all looks."""
        kept = {name: getattr(self, name)[index] for name in OF_THINGS}
        return GraspMoments(**{name: getattr(self, name) for name in OF_LOOKS} | kept)

    @property
    def poses(self) -> PoseChunk:
        """Flange poses (things, 1)."""
        return PoseChunk(
            self.position[self.look, None], self.rotation[self.look, None],
            self.measured[self.look, None],
        )  # fmt: skip

    @property
    def views(self) -> Tensor:
        """What was seen, (things, views, 3, height, width) in [0, 1]."""
        return self.images[self.look].permute(0, 1, 4, 2, 3).float() / 255.0

    @property
    def known(self) -> Tensor:
        """Which things are seen for certain, near to where they are, bool (things,)."""
        apart = (self.places[:, 0, :2] - self.grasp[:, :2]).norm(dim=1)
        return (self.places[:, 0, 3] >= CERTAIN) & (apart < NEAR_M)

    @staticmethod
    def cat(parts: list[GraspMoments]) -> GraspMoments:
        """Join."""
        found = {
            field.name: torch.cat([getattr(part, field.name) for part in parts])
            for field in fields(GraspMoments)
        }
        counts = torch.tensor([0] + [len(part.images) for part in parts[:-1]]).cumsum(0)
        looks = [part.look + before for part, before in zip(parts, counts, strict=True)]
        return GraspMoments(**found | {'look': torch.cat(looks)})


OF_LOOKS = ('images', 'position', 'rotation', 'measured')
OF_THINGS = tuple(f.name for f in fields(GraspMoments) if f.name not in OF_LOOKS)


class GraspReader:
    """Looks at recorded scenes with a scorer; what was looked at once is kept beside them."""

    def __init__(self, model: WorldModel, scorer: SemanticScorer) -> None:
        self._model, self._scorer = model, scorer

    def read(self, looks: SceneFiles, seed: int) -> GraspMoments | None:
        """The moments of a scene; None where nothing was recorded."""
        found = looks.read(seed)
        if found is None:
            return None
        looked = looked_once(looks.file(seed), lambda: self._look(found))
        return _moments(found, seed, looked)

    def _look(self, found: Recorded) -> dict[str, Tensor]:
        """Maps, places and axes of every thing in every look."""
        views = torch.from_numpy(found['images']).permute(0, 1, 4, 2, 3).float() / 255.0
        poses, count = poses_of(found), len(views)
        dense = self._scorer.dense(views.flatten(0, 1)).unflatten(0, views.shape[:2])
        parts = [
            ground_dense(self._scorer, self._model, dense, poses, [_named(kind)] * count)
            for kind in things_in(found)
        ]
        return {'maps': _all(parts, 'seen').half(), 'places': _all(parts, 'places'),
                'axes': _all(parts, 'axes')}  # fmt: skip


def _named(kind: int) -> Instruction:
    return Instruction(PLACE, kind_named(KIND_NAMES[kind]).noun, 'bowl')


def _all(parts: list[InstructionGrounding], name: str) -> Tensor:
    """One field (things, looks, ...) of the groundings of things."""
    return torch.stack([getattr(part, name) for part in parts])


def things_in(found: Recorded) -> np.ndarray:
    """Numbers of the kinds that can be grasped in a recorded scene."""
    return np.flatnonzero(np.isfinite(found['grasps'][0, :, 0]))


def _moments(found: Recorded, seed: int, looked: dict[str, Tensor]) -> GraspMoments:
    poses, kinds = poses_of(found), things_in(found)
    count, looks = len(kinds), len(found['images'])
    grasp, closing = (
        torch.from_numpy(found[name][:, kinds].swapaxes(0, 1).reshape(count * looks, -1))
        for name in ('grasps', 'closings')
    )
    return GraspMoments(
        torch.from_numpy(found['images']), poses.position[:, 0], poses.rotation[:, 0],
        poses.closedness[:, 0], torch.arange(looks).repeat(count),
        looked['maps'].flatten(0, 1), looked['places'].flatten(0, 1),
        looked['axes'].flatten(0, 1), grasp, closing,
        torch.full((count * looks,), seed), torch.from_numpy(kinds).repeat_interleave(looks),
    )  # fmt: skip
