# SPDX-License-Identifier: Apache-2.0
"""An instruction grounded in the present: its words, and where the views show them.

A head that had to learn from words alone which of the things in view is meant would need far
more data than the semantic scorer, which knows it already.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from vidplan_core.data.action import PoseChunk
from vidplan_core.geometry.camera import Camera
from vidplan_core.geometry.fk import tcp_position
from vidplan_core.heads.axes import axes_of
from vidplan_core.heads.places import triangulate
from vidplan_core.language.instruction import PICK, PLACE, REACH, Instruction
from vidplan_core.language.semantic import SemanticScorer
from vidplan_core.world_model.config import WorldModelConfig
from vidplan_core.world_model.world_model import WorldModel

# Keeps of maps (batch, 2, views, rows, columns) of target and destination what is meant.
MapFilter = Callable[[Tensor], Tensor]
VERBS = (REACH, PICK, PLACE)
MAPS = 2  # of the target and of the destination
# Measured closedness of fingers that were closed on something, and how far from the tool it is.
HOLDING = (0.2, 0.95)
REACH_OF_FINGERS_M = 0.07
# Peaks this much above the scorer's threshold are certain.
PEAK_SCALE = 0.05


@dataclass(frozen=True)
class InstructionGrounding:
    """Instructions grounded in what is seen; conditions a value head.

    text: the verb, one of three, and the scorer's embeddings of the target and of the
        destination, which is zero where there is none, (batch, 3 + 2 * width).
    maps: relevancy of target and destination, (batch, 2, rows, columns) of the latents.
    places: where they are, (batch, 2, 4): x, y, z in m, base frame, and a certainty in [0, 1];
        None from a world model that does not know its cameras.
    seen: relevancy of both in views that were looked at, (batch, 2, views, rows, columns); None
        where nobody looked.
    axes: how both lie, (batch, 2, 4), as `axes_of` has them; None where places are not known.
    """

    text: Tensor
    maps: Tensor
    places: Tensor | None = None
    seen: Tensor | None = None
    axes: Tensor | None = None


@torch.no_grad()
def ground(
    scorer: SemanticScorer,
    model: WorldModel,
    present: Tensor,
    poses: PoseChunk,
    instructions: Sequence[Instruction],
) -> InstructionGrounding:
    """Ground one instruction in each of some scenes.

    Args:
        scorer: knows the words.
        model: decodes what is seen.
        present: its latents, (batch, channels, rows, columns).
        poses: flange poses (batch, frames), frame 0 the present.
        instructions: as many as scenes.
    """
    views = model.decode(present[:, None])[:, 0].float().clamp(0.0, 1.0)
    return ground_views(scorer, model, views, poses, instructions)


@torch.no_grad()
def ground_views(
    scorer: SemanticScorer,
    model: WorldModel,
    views: Tensor,
    poses: PoseChunk,
    instructions: Sequence[Instruction],
    keep: MapFilter | None = None,
) -> InstructionGrounding:
    """Ground instructions in what cameras show: nothing that is imagined is looked at.

    Args:
        scorer: knows the words.
        model: knows the cameras and the size of latents.
        views: (batch, views, 3, height, width) in [0, 1].
        poses: flange poses (batch, frames), frame 0 of when they were seen.
        instructions: as many as scenes.
        keep: leaves out of the maps what has the same name and is not meant.
    """
    return ground_dense(scorer, model, scorer.dense_views(views), poses, instructions, keep)


@torch.no_grad()
def ground_dense(
    scorer: SemanticScorer,
    model: WorldModel,
    dense: Tensor,
    poses: PoseChunk,
    instructions: Sequence[Instruction],
    keep: MapFilter | None = None,
) -> InstructionGrounding:
    """Ground instructions in what the scorer sees, (batch, views, ...); else as `ground_views`."""
    text = torch.stack([_words(scorer, wanted) for wanted in instructions])
    maps = torch.stack(
        [_maps(scorer, seen, wanted) for seen, wanted in zip(dense, instructions, strict=True)]
    )
    maps = maps if keep is None else keep(maps)
    fitted, cameras = fitted_maps(maps, model.config), model.config.cameras
    if not cameras:
        return InstructionGrounding(text, fitted, None, maps)
    places = places_of(scorer, cameras, maps, poses)
    return InstructionGrounding(text, fitted, places, maps, axes_of(cameras, maps, places, poses))


def fitted_maps(maps: Tensor, config: WorldModelConfig) -> Tensor:
    """Maps (batch, things, views, rows, columns) as (batch, things, rows, columns) of latents."""
    size = (config.latent_height // maps.shape[2], config.latent_width)
    fitted = functional.interpolate(maps.flatten(0, 1), size, mode='bilinear')
    return fitted.flatten(1, 2).unflatten(0, maps.shape[:2])


def places_of(
    scorer: SemanticScorer, cameras: Sequence[Camera], maps: Tensor, poses: PoseChunk
) -> Tensor:
    """Places (batch, 2, 4) of maps (batch, 2, views, rows, columns)."""
    batch, things, views = maps.shape[:3]
    found = scorer.localise(maps.flatten(0, 2))
    surplus = (found.peak - scorer.config.threshold) / PEAK_SCALE
    certainty = surplus.sigmoid().unflatten(0, (batch, things, views))
    certainty = certainty * maps.flatten(2).any(-1)[..., None]  # no destination, no place
    centroid = found.centroid.unflatten(0, (batch, things, views))
    position, rotation = poses.position[:, 0], poses.rotation[:, 0]
    points = [
        triangulate(cameras, centroid[:, k], certainty[:, k], position, rotation)
        for k in range(things)
    ]
    return torch.cat([torch.stack(points, 1), certainty.amax(-1)[..., None]], dim=-1)


def carried_along(
    grounding: InstructionGrounding, seen: PoseChunk, later: PoseChunk, commanded: float
) -> InstructionGrounding:
    """A grounding as it is `later`: what the fingers hold has moved with them.

    Args:
        grounding: of one scene, of when it was seen.
        seen, later: flange poses (1, frames), the last ones of then and of now.
        commanded: closedness of the gripper; fingers that stop before it hold something.
    """
    measured = float(seen.closedness[0, -1])
    if grounding.places is None or commanded < 0.5 or not HOLDING[0] < measured < HOLDING[1]:
        return grounding
    before, now = (tcp_position(p.position[:, -1], p.rotation[:, -1]) for p in (seen, later))
    places = grounding.places.clone()
    if float((places[0, 0, :3] - before[0]).norm()) < REACH_OF_FINGERS_M:
        places[:, 0, :3] += (now - before).to(places)
    return replace(grounding, places=places)


def _words(scorer: SemanticScorer, wanted: Instruction) -> Tensor:
    """The verb, and the embeddings of target and destination; zeros for none."""
    target = scorer.encode_text([wanted.target])[0]
    verb = target.new_tensor([float(wanted.verb == name) for name in VERBS])
    if wanted.destination is None:
        return torch.cat([verb, target, torch.zeros_like(target)])
    return torch.cat([verb, target, scorer.encode_text([wanted.destination])[0]])


def _maps(scorer: SemanticScorer, dense: Tensor, wanted: Instruction) -> Tensor:
    """Relevancy (2, views, rows, columns) of target and destination; zeros for none."""
    maps = [scorer.compare(dense, [wanted.target])[:, 0]]
    if wanted.destination is None:
        return torch.stack([maps[0], torch.zeros_like(maps[0])])
    return torch.stack([*maps, scorer.compare(dense, [wanted.destination])[:, 0]])

