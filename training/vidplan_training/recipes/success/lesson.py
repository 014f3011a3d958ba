# SPDX-License-Identifier: Apache-2.0
"""Batches of moments as a success detector reads them, in training varied each time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from vidplan_core.geometry.camera import Camera
from vidplan_core.heads.detectors.crops import CropInput
from vidplan_core.heads.detectors.success.inputs import success_input
from vidplan_core.heads.grounding import VERBS, InstructionGrounding
from vidplan_core.language.instruction import PLACE
from vidplan_training.collect import endings
from vidplan_training.data.relit import relit
from vidplan_training.recipes.success.looked import EndingMoments

MOVED_M, PLACE_M = 0.012, 0.01  # standard deviations: middle of the crops, places
FORGOTTEN = 0.1  # of the moments: the thing is not found


def read_moments(
    cameras: Sequence[Camera], moments: EndingMoments, verb: Tensor, moved_m: Tensor | None = None
) -> CropInput:
    """What a detector reads of moments, each with a verb, by number in `endings.VERBS`.

    `moved_m` moves the middle of the crops, (moments, 3) m.
    """
    numbers = torch.tensor([VERBS.index(name) for name in endings.VERBS])[verb]
    text = torch.nn.functional.one_hot(numbers, len(VERBS)).float()
    placed = (numbers == VERBS.index(PLACE)).float()
    maps, places = moments.maps.float(), moments.places.clone()
    maps[:, 1] *= placed[:, None, None, None]  # picking up has no destination
    places[:, 1, 3] *= placed
    grounding = InstructionGrounding(text, maps[:, :, 0], places, maps)
    views = moments.images.permute(0, 1, 4, 2, 3).float() / 255.0
    return success_input(cameras, views, grounding, moments.poses, moments.commanded, moved_m)


def lesson(
    cameras: Sequence[Camera], moments: EndingMoments, rng: torch.Generator
) -> tuple[CropInput, Tensor]:
    """Inputs with any of the verbs, and whether its instruction is fulfilled, (batch,)."""
    count = len(moments)
    verb = torch.randint(len(endings.VERBS), (count,), generator=rng)
    noise = torch.randn(count, 2, 3, generator=rng)
    places = moments.places.clone()
    places[..., :3] += PLACE_M * noise
    kept = (torch.rand(count, generator=rng) > FORGOTTEN).float()
    places[:, 0, 3] *= kept
    maps = moments.maps.clone()
    maps[:, 0] *= kept[:, None, None, None].half()
    moved = MOVED_M * torch.randn(count, 3, generator=rng)
    inputs = read_moments(cameras, replace(moments, maps=maps, places=places), verb, moved)
    inputs = replace(inputs, crops=relit(inputs.crops, rng))
    return inputs, moments.successes[torch.arange(count), verb]
