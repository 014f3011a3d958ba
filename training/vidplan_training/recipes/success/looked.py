# SPDX-License-Identifier: Apache-2.0
"""Endings as a success detector sees them: relevancy and places of what an instruction names."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.heads.grounding import ground_views
from vidplan_core.language.instruction import PICK, PLACE, Instruction
from vidplan_core.language.semantic import SemanticScorer
from vidplan_core.world_model.world_model import WorldModel
from vidplan_sim.objects.catalogue import kind_named
from vidplan_training.collect.contact.episode import KIND_NAMES
from vidplan_training.collect.endings import GRASPED, UNKNOWN, VERBS
from vidplan_training.collect.scene_files import Recorded, SceneFiles
from vidplan_training.recipes.recorded_scenes import looked_once, poses_of

SHARE_OF_OTHERS = 0.2  # of the moments: what is named is not what was handled


@dataclass(frozen=True, eq=False)
class EndingMoments:
    """EndingMoments of endings, each about one thing that might be named.

    images: uint8 (moments, views, height, width, 3); maps: relevancy of the thing and of the
    bowl, float16 (moments, 2, views, rows, columns); places: of both, (moments, 2, 4); position
    (moments, 3), rotation (moments, 3, 3), measured (moments,): flange and gripper; commanded:
    (moments,); successes: of either verb, bool (moments, 2); scene: number (moments,); last:
    whether a grasp or a release ends here, bool (moments, 2).
    """

    images: Tensor
    maps: Tensor
    places: Tensor
    position: Tensor
    rotation: Tensor
    measured: Tensor
    commanded: Tensor
    successes: Tensor
    scene: Tensor
    last: Tensor

    def __len__(self) -> int:
        return len(self.images)

    @property
    def poses(self) -> PoseChunk:
        """Flange poses (moments, 1)."""
        return PoseChunk(self.position[:, None], self.rotation[:, None], self.measured[:, None])

    def rows(self, index: Tensor) -> EndingMoments:
        """Some of them."""
        return EndingMoments(*(getattr(self, field.name)[index] for field in fields(self)))

    @staticmethod
    def cat(parts: list[EndingMoments]) -> EndingMoments:
        """Join."""
        names = [field.name for field in fields(EndingMoments)]
        return EndingMoments(*(torch.cat([getattr(p, name) for p in parts]) for name in names))


class EndingReader:
    """Looks at recorded endings with a scorer; what was looked at once is kept beside them."""

    def __init__(self, model: WorldModel, scorer: SemanticScorer) -> None:
        self._model, self._scorer = model, scorer

    def read(self, endings: SceneFiles, seed: int) -> EndingMoments | None:
        """The moments of a scene; None where nothing was recorded."""
        ending = endings.read(seed)
        if ending is None:
            return None
        kinds = _named(ending, seed)
        looked = looked_once(endings.file(seed), lambda: self._look(ending, kinds))
        return _moments(ending, kinds, seed, looked['maps'], looked['places'])

    def _look(self, ending: Recorded, kinds: np.ndarray) -> dict[str, Tensor]:
        views = torch.from_numpy(ending['images']).permute(0, 1, 4, 2, 3).float() / 255.0
        wanted = [Instruction(PLACE, kind_named(KIND_NAMES[kind]).noun, 'bowl') for kind in kinds]
        found = ground_views(self._scorer, self._model, views, poses_of(ending), wanted)
        assert found.seen is not None
        assert found.places is not None
        return {'maps': found.seen.half(), 'places': found.places}


def _named(ending: Recorded, seed: int) -> np.ndarray:
    """Numbers (moments,) of the kinds that are named: what is handled, now and then another."""
    rng = np.random.default_rng([seed, 48])
    count, thing = len(ending['images']), int(ending['thing'])
    others = np.flatnonzero(ending['successes'][0, 0] != UNKNOWN)
    others = others[others != thing]
    kinds = np.full(count, thing)
    if len(others):
        other = rng.random(count) < SHARE_OF_OTHERS
        kinds[other] = rng.choice(others, int(other.sum()))
    return kinds


def _moments(
    ending: Recorded, kinds: np.ndarray, seed: int, maps: Tensor, places: Tensor
) -> EndingMoments:
    poses, row = poses_of(ending), np.arange(len(kinds))
    handled = torch.from_numpy(kinds == int(ending['thing']))
    successes = torch.from_numpy(ending['successes'][row, :, kinds] > 0)
    ends = torch.zeros(len(kinds), len(VERBS), dtype=torch.bool)
    ends[GRASPED, VERBS.index(PICK)] = ends[-1, VERBS.index(PLACE)] = True
    return EndingMoments(
        torch.from_numpy(ending['images']), maps, places, poses.position[:, 0],
        poses.rotation[:, 0], poses.closedness[:, 0], torch.from_numpy(ending['goal']).float(),
        successes, torch.full((len(kinds),), seed), ends & handled[:, None],
    )  # fmt: skip
