# SPDX-License-Identifier: Apache-2.0
"""Planted hallucinations: where they appear, in which imaginations, and the same every time."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.fakes.tiny import CHANNELS, down, straight_chunk, tiny_world_model
from vidplan_core.errors import ConfigError
from vidplan_core.geometry.camera import Camera, load_cameras
from vidplan_core.world_model.world_model import WorldModel
from vidplan_eval.phantom import (
    HallucinationInjection,
    PhantomWorldModel,
    RandomPhantoms,
    erase,
    paste,
)

CAMERAS = Path(__file__).resolve().parents[2] / 'models' / 'cell' / 'cameras.json'
MOTIONS = torch.tensor([[0.1, 0.0, 0.0], [0.0, 0.0, -0.1], [0.0, 0.02, -0.1]])


@pytest.mark.parametrize('mount', ['base', 'flange'])
def test_projection_is_the_inverse_of_the_rays(mount: str) -> None:
    camera = load_cameras(CAMERAS, ('left', 'wrist'))['left' if mount == 'base' else 'wrist']
    assert isinstance(camera, Camera)
    assert camera.mount == mount
    position = torch.tensor([[0.5, 0.05, 0.35], [0.45, -0.1, 0.4]], dtype=torch.float64)
    rotation = down().double().expand(2, 3, 3)
    centroid = torch.tensor([[0.45, 0.6], [0.55, 0.5]], dtype=torch.float64)
    points = camera.on_plane(centroid, position, rotation, 0.03)
    torch.testing.assert_close(camera.project(points, position, rotation), centroid)


def test_a_pasted_patch_is_the_original_moved() -> None:
    source = torch.randn(1, 2, 12, 20)
    latents = torch.zeros(1, 3, 2, 12, 20)
    origin, place = torch.tensor([[3.0, 4.0]]), torch.tensor([[[8.0, 15.0]] * 3])
    painted = paste(latents, source, origin, place, torch.tensor([2.0]))
    torch.testing.assert_close(painted[0, 1, :, 8, 15], source[0, :, 3, 4])
    # One cell away the soft edge still shows exp(-1/16) of it; far away there is nothing.
    torch.testing.assert_close(
        painted[0, 2, :, 8, 16], source[0, :, 3, 5] * float(torch.exp(torch.tensor(-1 / 16)))
    )
    assert painted[..., :4, :10].abs().max() < 1e-6
    outside = paste(latents, source, origin, place + 100.0, torch.tensor([2.0]))
    assert torch.equal(outside, latents)


def test_what_is_erased_looks_like_the_rest() -> None:
    latents = torch.full((1, 1, 2, 12, 20), 0.7)
    latents[..., 5, 5] = 9.0
    gone = erase(latents, torch.tensor([[[5.0, 5.0]]]), torch.tensor([1.5]))
    torch.testing.assert_close(gone, torch.full_like(latents, 0.7))


def test_random_phantoms_are_planted_in_their_share_and_are_repeatable() -> None:
    latents, present = torch.randn(200, 4, 4, 12, 8), torch.randn(200, 4, 12, 8)
    phantoms = RandomPhantoms(0.3, views=3, seed=5)
    painted, injected = phantoms.inject(latents, present, number=7)
    assert 0.2 < injected.float().mean() < 0.4
    changed = (painted != latents).flatten(1).any(1)
    assert torch.equal(changed, injected)
    again, _ = phantoms.inject(latents, present, number=7)
    other, _ = phantoms.inject(latents, present, number=8)
    assert torch.equal(painted, again)
    assert not torch.equal(painted, other)
    assert not RandomPhantoms(0.0, views=3).inject(latents, present, 1)[1].any()
    with pytest.raises(ConfigError, match='share'):
        RandomPhantoms(1.5, views=3)


def test_only_the_injected_motion_sees_the_phantom() -> None:
    model = tiny_world_model()
    cameras = load_cameras(CAMERAS, model.config.views)
    phantom = PhantomWorldModel(model, cameras)
    assert isinstance(phantom, WorldModel)
    images = torch.randint(0, 256, (1, 2, 96, 64, 3), dtype=torch.uint8)
    context = model.context(images, straight_chunk(torch.zeros(1, 3), frames=2))
    chunk = straight_chunk(MOTIONS)
    clean = model.rollout(context, chunk)
    assert torch.equal(phantom.rollout(context, chunk), clean)
    thing, place = torch.tensor([0.5, 0.15, 0.03]), torch.tensor([0.5, 0.0, 0.03])
    phantom.injection = HallucinationInjection(torch.tensor([0.0, 0.0, -1.0]), thing, place)
    seen = phantom.rollout(context, chunk)
    assert seen.shape == (3, 5, CHANNELS, 12, 8)
    assert torch.equal(seen[0], clean[0])  # another direction
    assert torch.equal(seen[:, 0], clean[:, 0])  # the present
    assert (seen[1, 1:] != clean[1, 1:]).any()
    assert (seen[2, 1:] != clean[2, 1:]).any()  # nearly the same direction
    # Where the phantom stands in a side view, the thing's present latents are.
    row, column = phantom._cell(cameras['left'], place, chunk.position, chunk.rotation)[1, 4]
    moved = seen[1, 4, :, :4].sub(clean[1, 4, :, :4]).abs().sum(0)
    peak = moved[max(0, round(float(row)) - 2) :, :].max()
    assert peak > 0
    assert 0 <= float(column) <= 7
