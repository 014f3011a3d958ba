# SPDX-License-Identifier: Apache-2.0
"""What a grasp head reads: the views around where the target is thought to be, and numbers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.errors import ModelError
from vidplan_core.geometry.camera import Camera
from vidplan_core.geometry.fk import hand_yaw, tcp_position
from vidplan_core.geometry.robot import RobotModel
from vidplan_core.heads.detectors.crops import CropInput, crops_around
from vidplan_core.heads.grounding import InstructionGrounding

HALF_M = 0.10  # what a crop shows to each side of its middle
SCALE_M = 0.05  # distances are encoded as asinh(d / this)
MIDDLE_M, SPREAD_M = (0.5, 0.0, 0.03), 0.1  # of places on the table
# The place on the table and beside the tool, its certainty, the turn of the hand, and its axes.
NUMBERS = 3 + 3 + 1 + 2 + 4


def grasp_input(
    cameras: Sequence[Camera],
    views: Tensor,
    grounding: InstructionGrounding,
    poses: PoseChunk,
    robot: RobotModel | None = None,
) -> CropInput:
    """Look where the target is thought to be.

    Args:
        cameras: one per view.
        views: (batch, views, 3, height, width) in [0, 1].
        grounding: of an instruction for each, looked up in these views.
        poses: flange poses (batch, frames), the last frame of when they were seen.
        robot: whose hand it is; None for the default.

    Raises:
        ModelError: the grounding has no places or no maps.
    """
    if grounding.places is None or grounding.seen is None or grounding.axes is None:
        raise ModelError('a grasp head needs known cameras and views that were looked at')
    position, rotation = poses.position[:, -1], poses.rotation[:, -1]
    tool = tcp_position(position, rotation, robot)
    place = grounding.places[:, 0].to(tool)
    middle, yaw = place[:, :3], 2.0 * hand_yaw(rotation, robot)
    crops = crops_around(
        cameras, views, grounding.seen, middle, position, rotation, HALF_M
    )
    numbers = [
        (middle - middle.new_tensor(MIDDLE_M)) / SPREAD_M, ((middle - tool) / SCALE_M).asinh(),
        place[:, 3:], torch.stack([yaw.cos(), yaw.sin()], 1), grounding.axes[:, 0].to(tool),
    ]  # fmt: skip
    return CropInput(crops, torch.cat(numbers, 1).float())
