# SPDX-License-Identifier: Apache-2.0
"""Moments without pictures, moved and turned: what the expert does beside things holds anywhere.

With pictures at hand a network learns from them alone and passes over where things are, which it
reads exactly. Where none is shown it cannot; and what the expert does depends on where things
are from the tool only, so that the scene may be moved along the table and turned about the tool.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vidplan_core.heads.places import SCALE_M
from vidplan_core.heads.policy.inputs import WORKSPACE_SCALE_M, PolicyInput

SHIFT_M = 0.05  # standard deviation


def without_views(
    inputs: PolicyInput, chunks: Tensor, blind: Tensor, rng: torch.Generator
) -> tuple[PolicyInput, Tensor]:
    """Inputs and chunks (batch, 5), those of `blind` (batch,) without views, moved and turned.

    The hand keeps its turn, and things keep how they lie beside it.
    """
    assert inputs.maps is not None
    assert inputs.beside is not None
    seen = (~blind).float()[:, None, None, None]
    angle = 2.0 * torch.pi * torch.rand(len(blind), generator=rng) * blind
    beside, body = inputs.beside.clone(), inputs.body.clone()
    shift = SHIFT_M * torch.randn((len(blind), 2), generator=rng) * blind[:, None]
    body[:, :2] += shift / WORKSPACE_SCALE_M
    for thing in range(2):  # target, destination
        plane = slice(3 * thing, 3 * thing + 2)
        certainty = beside[:, 6 + thing, None].clamp_min(1e-3)
        gap = SCALE_M * (beside[:, plane] / certainty).sinh()
        beside[:, plane] = certainty * (turned(gap, angle) / SCALE_M).asinh()
    moved = torch.cat([turned(chunks[:, :2], angle), chunks[:, 2:]], 1)
    return PolicyInput(
        inputs.latents * seen, body, inputs.text, inputs.maps * seen, beside
    ), moved


def turned(plane: Tensor, angle: Tensor) -> Tensor:
    """Vectors (batch, 2) turned by angles (batch,), rad."""
    x, y = plane.unbind(-1)
    cosine, sine = angle.cos(), angle.sin()
    return torch.stack([cosine * x - sine * y, sine * x + cosine * y], -1)
