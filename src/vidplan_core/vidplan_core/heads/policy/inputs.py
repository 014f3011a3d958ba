# SPDX-License-Identifier: Apache-2.0
"""What the policy reads: the present views, the hand, and an instruction grounded in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.geometry.fk import tcp_position
from vidplan_core.heads.axes import AXIS, beside_axes
from vidplan_core.heads.grounding import InstructionGrounding
from vidplan_core.heads.places import SCALE_M

# Tool (3), direction of the hand (2), closedness measured now and a frame before, and commanded.
BODY = 8
# Vectors from the tool to target and destination, both certainties, and how the target lies.
BESIDE = 8 + AXIS
_WORKSPACE_MIDDLE_M = (0.5, 0.0, 0.15)
WORKSPACE_SCALE_M = 0.2


@dataclass(frozen=True)
class PolicyInput:
    """A batch of moments.

    latents: of the present, (batch, channels, rows, columns), normalised.
    body: of the arm, (batch, BODY).
    text: verb, target and destination, (batch, width), as `InstructionGrounding` has it.
    maps: where the views show both, (batch, 2, rows, columns); None for a policy of words only.
    beside: where the tool is beside both, (batch, BESIDE); None likewise.
    """

    latents: Tensor
    body: Tensor
    text: Tensor
    maps: Tensor | None = None
    beside: Tensor | None = None

    def __len__(self) -> int:
        return len(self.latents)

    def rows(self, index: Tensor | slice) -> PolicyInput:
        """Some moments."""
        return self._map(lambda values: values[index])

    def to(self, device: torch.device) -> PolicyInput:
        """The same on a device."""
        return self._map(lambda values: values.to(device))

    def _map(self, function: Callable[[Tensor], Tensor]) -> PolicyInput:
        maps = None if self.maps is None else function(self.maps)
        beside = None if self.beside is None else function(self.beside)
        text = function(self.text)
        return PolicyInput(function(self.latents), function(self.body), text, maps, beside)


def body_features(poses: PoseChunk, commanded: Tensor) -> Tensor:
    """Features (batch, BODY) of the hand.

    Args:
        poses: flange poses (batch, at least 2) up to the present, which is the last; their
            closedness is what was measured.
        commanded: closedness that the gripper was commanded last, (batch,).
    """
    tool = tcp_position(poses.position[:, -1], poses.rotation[:, -1])
    middle = tool.new_tensor(_WORKSPACE_MIDDLE_M)
    # The first column of a hand that looks down says how it is turned about the vertical.
    direction = poses.rotation[:, -1, :2, 0]
    grip = torch.stack([poses.closedness[:, -1], poses.closedness[:, -2], commanded], -1)
    place = (tool - middle) / WORKSPACE_SCALE_M
    return torch.cat([place, direction, 2.0 * grip.to(tool) - 1.0], -1)


def beside_features(places: Tensor, axes: Tensor, poses: PoseChunk) -> Tensor:
    """Where the present tool is beside target and destination, (batch, BESIDE).

    Args:
        places, axes: (batch, 2, 4), as `InstructionGrounding` has them.
        poses: flange poses (batch, frames), the present last.
    """
    tool = tcp_position(poses.position[:, -1], poses.rotation[:, -1])
    certainty = places[..., 3].to(tool)
    gaps = ((places[..., :3].to(tool) - tool[:, None]) / SCALE_M).asinh()
    lies = beside_axes(axes[:, 0].to(tool), poses.rotation[:, -1])
    return torch.cat([(gaps * certainty[..., None]).flatten(1), certainty, lies], -1)


def policy_input(
    latents: Tensor, poses: PoseChunk, commanded: Tensor, grounding: InstructionGrounding
) -> PolicyInput:
    """What a policy reads of moments.

    Args:
        latents: of the present, (batch, channels, rows, columns).
        poses: flange poses (batch, at least 2), the present last.
        commanded: closedness commanded last, (batch,).
        grounding: of the instruction in the same moments.
    """
    places, axes = grounding.places, grounding.axes
    beside = None
    if places is not None and axes is not None:
        beside = beside_features(places, axes, poses)
    return PolicyInput(
        latents,
        body_features(poses, commanded),
        grounding.text,
        grounding.maps,
        beside,
    )
