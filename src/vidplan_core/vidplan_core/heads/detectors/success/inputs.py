# SPDX-License-Identifier: Apache-2.0
"""What a success detector reads: the views around where a success would be seen, and places."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.errors import ModelError
from vidplan_core.geometry.camera import Camera
from vidplan_core.geometry.fk import tcp_position
from vidplan_core.heads.detectors.crops import CropInput, crops_around
from vidplan_core.heads.grounding import VERBS, InstructionGrounding
from vidplan_core.language.instruction import PLACE

HALF_M = 0.14  # what a crop shows to each side of its middle
SCALE_M = 0.05  # distances are encoded as asinh(d / this)
# The verb, closedness measured and commanded, three vectors, two certainties.
NUMBERS = len(VERBS) + 2 + 3 * 3 + 2


def success_input(
    cameras: Sequence[Camera],
    views: Tensor,
    grounding: InstructionGrounding,
    poses: PoseChunk,
    commanded: Tensor,
    moved_m: Tensor | None = None,
) -> CropInput:
    """Look where the instruction would be seen done: at the destination, or at the tool.

    Args:
        cameras: one per view.
        views: (batch, views, 3, height, width) in [0, 1].
        grounding: of an instruction for each, looked up in these views.
        poses: flange poses (batch, frames), the last frame of when they were seen.
        commanded: closedness of the gripper, (batch,).
        moved_m: moves the middle of the crops, (batch, 3) m; for training.

    Raises:
        ModelError: the grounding has no places or no maps.
    """
    if grounding.places is None or grounding.seen is None:
        raise ModelError('a success detector needs known cameras and views that were looked at')
    position, rotation = poses.position[:, -1], poses.rotation[:, -1]
    tool = tcp_position(position, rotation)
    places = grounding.places.to(tool)
    placed = grounding.text[:, VERBS.index(PLACE), None].to(tool) > 0.5
    focus = torch.where(placed, places[:, 1, :3], tool)
    middle = focus if moved_m is None else focus + moved_m
    crops = crops_around(
        cameras, views, grounding.seen, middle, position, rotation, HALF_M
    )
    certainty = places[..., 3]
    vectors = torch.stack(
        [focus - tool, (places[:, 0, :3] - focus) * certainty[:, :1],
         (places[:, 0, :3] - tool) * certainty[:, :1]], 1
    )  # fmt: skip
    measured = poses.closedness[:, -1]
    numbers = [
        grounding.text[:, : len(VERBS)], torch.stack([measured, commanded.to(measured)], 1),
        (vectors / SCALE_M).asinh().flatten(1), certainty,
    ]  # fmt: skip
    known = torch.cat([part.to(tool) for part in numbers], 1)
    return CropInput(crops, known.float())
