# SPDX-License-Identifier: Apache-2.0
"""A small network that says where the fingers should close on a thing, and how they are turned.

Places that are triangulated from relevancy miss a thing by about a centimetre, more where the hand
hides a part of it, and say little of how it lies; grasps are lost by half a centimetre.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from vidplan_core.data.action import PoseChunk
from vidplan_core.errors import ModelError
from vidplan_core.geometry.camera import Camera
from vidplan_core.geometry.robot import RobotModel
from vidplan_core.heads.detectors.crop_network import look, require_cameras, require_widths
from vidplan_core.heads.detectors.crops import CropInput
from vidplan_core.heads.detectors.grasp.inputs import NUMBERS, grasp_input
from vidplan_core.heads.grounding import InstructionGrounding
from vidplan_core.heads.value import reads_as
from vidplan_core.language.semantic import SemanticScorer
from vidplan_core.models.fields import require_ranges
from vidplan_core.models.io import from_dict, load_weights, read_config, save_weights, to_dict
from vidplan_core.world_model.config import WorldModelConfig

FOLDER = 'grasp'
FORGOTTEN = 0.1  # of the features before the last layers, in training
# Turns away from where the hand was blocked, and from how much on it is free again, rad.
AWAY_RAD, FREE_RAD = (0.0, 0.8, -0.8, 1.5, -1.5), 0.7
KNOWN = 0.5  # length of a closing from which on it counts
UNIT_M = 0.02  # of the distances that the network gives
SPREADS = (-3.0, 3.0)  # bounds of the logarithm of a spread, in that unit


@dataclass(frozen=True)
class Grasps:
    """Where and how fingers should close.

    Attributes:
        place: of the tool, (batch, 3), base frame, m.
        closing: cosine and sine of twice the yaw of the hand, see `hand_yaw`, (batch, 2), shorter
            the less it is known, or the less it matters.
        spread_m: mean absolute error to expect of x and of y, (batch,).
    """

    place: Tensor
    closing: Tensor
    spread_m: Tensor


# Of views (1, views, 3, height, width) in [0, 1], an instruction that was looked up in them and
# flange poses (1, frames): the grasp.
GraspEstimator = Callable[[Tensor, InstructionGrounding, PoseChunk], Grasps]


@dataclass(frozen=True)
class GraspConfig:
    """Sizes of a grasp head.

    Attributes:
        views: how many; each is looked at by layers of its own.
        widths: of the three convolutions of a view, each half the size of the one before.
        features: of a view, and of the layers that join them.
        text_probe: of the scorer that it was trained with.
    """

    views: int = 3
    widths: tuple[int, ...] = (24, 48, 64)
    features: int = 96
    text_probe: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        require_ranges(self, views=(1, 64), widths=(1, 4096), features=(1, 4096))
        require_widths(self.widths)

    def check_fits(self, model: WorldModelConfig, scorer: SemanticScorer) -> None:
        """Raise ModelError for models with other views, unknown cameras or another scorer."""
        require_cameras('a grasp head', self.views, model)
        if not reads_as(scorer, self.text_probe):
            raise ModelError(
                'the grasp head was trained with another semantic scorer; train it again with '
                '`vidplan-train grasp`'
            )


class GraspHead(nn.Module):
    """A grasp from `CropInput`, relative to where the target is thought to be."""

    def __init__(self, config: GraspConfig) -> None:
        super().__init__()
        self.config = config
        self.looks = nn.ModuleList(
            look(config.widths, config.features) for _ in range(config.views)
        )
        width = 2 * config.features
        self.join = nn.Sequential(
            nn.Linear(config.views * config.features + NUMBERS, width), nn.SiLU(),
            nn.Dropout(FORGOTTEN),
            nn.Linear(width, width), nn.SiLU(),
            nn.Linear(width, 3 + 2 + 1),
        )  # fmt: skip

    def forward(self, inputs: CropInput) -> tuple[Tensor, Tensor, Tensor]:
        """Way from the place (batch, 3) in UNIT_M, closing (batch, 2), log spread (batch,)."""
        views = inputs.crops.unbind(1)
        seen = [layers(view) for layers, view in zip(self.looks, views, strict=True)]
        found: Tensor = self.join(torch.cat([*seen, inputs.numbers], 1))
        return found[:, :3], found[:, 3:5], found[:, 5].clamp(*SPREADS)

    @torch.no_grad()
    def grasps(self, inputs: CropInput, places: Tensor) -> Grasps:
        """Grasps of targets that are thought to be at places (batch, 3 or more), m."""
        way, closing, spread = self(inputs)
        place = places[:, :3].to(way) + UNIT_M * way
        return Grasps(place, closing, UNIT_M * spread.exp())

    def seen_by(self, cameras: Sequence[Camera], robot: RobotModel | None) -> GraspEstimator:
        """The same of one scene that cameras show."""

        def estimate(views: Tensor, grounding: InstructionGrounding, poses: PoseChunk) -> Grasps:
            inputs = grasp_input(cameras, views, grounding, poses, robot)
            assert grounding.places is not None
            return self.grasps(inputs, grounding.places[:, 0])

        return estimate


def turn_to(grasp: Grasps, heading: Tensor, blocked: Sequence[float] = ()) -> Tensor:
    """The shortest turns (...), rad, of hands with headings (...), rad, to the way a grasp closes.

    Where no turn is better than another, or nobody knows, they lead away from headings that are
    `blocked`, as far as they can; 0 without any.
    """
    closing = grasp.closing[0].to(heading)
    if float(closing.norm()) >= KNOWN:
        return shortest(0.5 * torch.atan2(closing[1], closing[0]) - heading)
    if not blocked:
        return torch.zeros_like(heading)
    turns = heading.new_tensor(AWAY_RAD)
    there = heading[..., None] + turns
    apart = shortest(there[..., None] - heading.new_tensor(list(blocked))).abs().amin(-1)
    # The least turn that is free; else the one that is freest.
    worth = apart.clamp_max(FREE_RAD) - 1e-3 * turns.abs()
    return turns[worth.argmax(-1)]


def shortest(angle: Tensor) -> Tensor:
    """Angles of lines, rad, in [-pi/2, pi/2)."""
    return torch.remainder(angle + 0.5 * math.pi, math.pi) - 0.5 * math.pi


def save_grasp(folder: Path, head: GraspHead) -> None:
    """Write `folder`/config.json and weights.safetensors."""
    save_weights(folder, to_dict(head.config), head.state_dict())


def load_grasp(models: Path, device: str | torch.device = 'cpu') -> GraspHead:
    """The head of a models folder, frozen; raises ModelError when missing or corrupt."""
    folder = models / FOLDER
    head = GraspHead(from_dict(GraspConfig, read_config(folder)))
    load_weights(head, folder)
    return head.eval().requires_grad_(False).to(device)
