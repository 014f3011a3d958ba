# SPDX-License-Identifier: Apache-2.0
"""What a grasp head learns from: things that are not quite where they are thought to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from vidplan_core.geometry.camera import Camera
from vidplan_core.heads.detectors.crops import CropInput
from vidplan_core.heads.detectors.grasp.inputs import grasp_input
from vidplan_core.heads.detectors.grasp.network import UNIT_M, GraspHead
from vidplan_core.heads.grounding import InstructionGrounding
from vidplan_training.data.relit import relit
from vidplan_training.recipes.grasp.looked import GraspMoments

MOVED_M = 0.012  # standard deviation of where a thing is thought to be beside where it seems
NO_BOWL = 0.3  # of the moments: nothing is said of a destination
CLOSING = 0.5  # weight of how the fingers are turned


def read_things(
    cameras: Sequence[Camera], moments: GraspMoments, places: Tensor | None = None
) -> CropInput:
    """What a head reads of things that are thought to be at places (things, 2, 4)."""
    places = moments.places if places is None else places
    maps = moments.maps.float()
    grounding = InstructionGrounding(
        torch.zeros(len(maps), 0), maps[:, :, 0], places, maps, moments.axes
    )
    return grasp_input(cameras, moments.views, grounding, moments.poses)


def lesson(
    cameras: Sequence[Camera], moments: GraspMoments, rng: torch.Generator
) -> tuple[CropInput, Tensor, Tensor]:
    """Inputs, the way (things, 3) to the grasp in UNIT_M, and how to close (things, 2)."""
    count, places = len(moments), moments.places.clone()
    places[:, 0, :3] += MOVED_M * torch.randn(count, 3, generator=rng)
    maps = moments.maps.clone()
    maps[:, 1] *= (torch.rand(count, 1, 1, 1, generator=rng) > NO_BOWL).half()
    inputs = read_things(cameras, replace(moments, maps=maps), places)
    way = (moments.grasp - places[:, 0, :3]) / UNIT_M
    return replace(inputs, crops=relit(inputs.crops, rng)), way, moments.closing


def loss_of(head: GraspHead, inputs: CropInput, way: Tensor, closing: Tensor) -> Tensor:
    """How improbable x and y are under a Laplace distribution, and how wrong the rest is."""
    found, turned, spread = head(inputs)
    beside = (found[:, :2] - way[:, :2]).abs().sum(1)
    improbable = beside / spread.exp() + 2.0 * spread
    height = functional.l1_loss(found[:, 2], way[:, 2])
    return improbable.mean() + height + CLOSING * (turned - closing).square().sum(1).mean()
