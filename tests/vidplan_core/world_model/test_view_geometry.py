# SPDX-License-Identifier: Apache-2.0
"""What a motion means in every view: rays, and the warped present."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.fakes.tiny import CHANNELS, straight_chunk, tiny_config, tiny_world_model
from tests.vidplan_core.world_model.test_world_model import gated_backbone
from vidplan_core.data.action import PoseChunk
from vidplan_core.errors import ModelError
from vidplan_core.geometry.camera import Camera, load_cameras
from vidplan_core.geometry.fk import tcp_position
from vidplan_core.world_model.autoencoders.config import AutoencoderConfig
from vidplan_core.world_model.autoencoders.convolutional import Autoencoder
from vidplan_core.world_model.backbones.interface import Condition
from vidplan_core.world_model.backbones.unet2d import INITIAL_GATE, UNet2D
from vidplan_core.world_model.checkpoint import load_world_model
from vidplan_core.world_model.context import Context
from vidplan_core.world_model.sampling.flow import denoised, scaled_input
from vidplan_core.world_model.view_geometry import (
    RAY_CHANNELS,
    RAY_SCALE_M,
    SEEN_HEIGHT_M,
    ray_maps,
    warp,
)
from vidplan_core.world_model.world_model import WorldModel

FILE = Path(__file__).resolve().parents[3] / 'models' / 'cell' / 'cameras.json'
CAMERAS = load_cameras(FILE, ('left', 'right', 'wrist'))
ROWS, COLUMNS = 12, 20


def places(rows: int, columns: int) -> Tensor:
    """Centres (rows, columns, 2) of a view's places, x and y."""
    y, x = (torch.arange(rows) + 0.5) / rows, (torch.arange(columns) + 0.5) / columns
    return torch.stack([x.expand(rows, columns), y[:, None].expand(rows, columns)], dim=-1)


def test_nothing_moves_where_the_hand_stays() -> None:
    present = torch.randn(2, CHANNELS, 3 * ROWS, COLUMNS)
    moved = warp(list(CAMERAS.values()), present, straight_chunk(torch.zeros(2, 3)))
    assert moved.shape == (2, 5, CHANNELS, 3 * ROWS, COLUMNS)
    torch.testing.assert_close(moved, present[:, None].expand_as(moved), atol=2e-3, rtol=0)


@pytest.mark.parametrize('view', ['left', 'right'])
def test_a_camera_on_the_base_sees_the_hand_pass_by(view: str) -> None:
    camera = CAMERAS[view]
    right = torch.tensor(camera.rotation)[:, 0]  # the picture's x in the base frame
    start = straight_chunk(torch.zeros(1, 3))
    tool = tcp_position(start.position[0, 0], start.rotation[0, 0])
    depth = (tool - torch.tensor(camera.position)) @ torch.tensor(camera.rotation)[:, 2]
    one_place = depth / camera.focal[0] / COLUMNS
    chunk = straight_chunk(4 * one_place * right[None])  # a column a frame
    present = torch.randn(1, CHANNELS, ROWS, COLUMNS)
    moved = warp([camera], present, chunk)[0]
    for frame in range(1, 5):
        wanted = present[0, :, :, 2 : COLUMNS - 6]
        found = moved[frame, :, :, 2 + frame : COLUMNS - 6 + frame]
        torch.testing.assert_close(found, wanted, atol=5e-3, rtol=0)


def test_a_camera_on_the_flange_sees_the_table_pass_by() -> None:
    """The oracle paints the table: what the camera sees is computed anew from every pose."""
    camera = CAMERAS['wrist']
    chunk = straight_chunk(torch.tensor([[0.05, -0.04, -0.03]]))

    def seen(frame: int) -> Tensor:
        points = camera.on_plane(
            places(48, 80).flatten(0, 1), chunk.position[0, frame], chunk.rotation[0, frame],
            SEEN_HEIGHT_M,
        )  # fmt: skip
        paint = torch.stack([(9.0 * points[:, 0]).sin(), (7.0 * points[:, 1]).cos()])
        return paint.reshape(1, 2, 48, 80)

    moved = warp([camera], seen(0), chunk)
    inside = (slice(None), slice(None), slice(16, 36), slice(20, 60))
    for frame in range(1, 5):
        torch.testing.assert_close(moved[:, frame][inside], seen(frame)[inside], atol=0.01, rtol=0)


@pytest.mark.parametrize('view', list(CAMERAS))
def test_rays_pass_through_what_the_places_show(view: str) -> None:
    camera: Camera = CAMERAS[view]
    chunk = straight_chunk(torch.tensor([[0.05, 0.1, -0.1]]))
    maps = ray_maps([camera], chunk, ROWS, COLUMNS)
    assert maps.shape == (1, 5, RAY_CHANNELS, ROWS, COLUMNS)
    direction, nearest = maps[0, 3, :3], RAY_SCALE_M * maps[0, 3, 3:].sinh()
    torch.testing.assert_close(direction.norm(dim=0), torch.ones(ROWS, COLUMNS))
    torch.testing.assert_close(
        (direction * nearest).sum(0), torch.zeros(ROWS, COLUMNS), atol=1e-4, rtol=0
    )
    position, rotation = chunk.position[0, 3], chunk.rotation[0, 3]
    if camera.mount == 'base':  # a point of the hand, in the tool's frame
        point = torch.tensor([0.01, -0.02, 0.03])
        in_base = tcp_position(position, rotation) + rotation @ point
    else:  # a point of the table, relative to its centre
        in_base = camera.on_plane(torch.tensor([0.4, 0.6]), position, rotation, 0.0)
        point = in_base - torch.tensor([0.5, 0.0, 0.0])
    place = camera.project(in_base, position, rotation)
    row, column = int(place[1] * ROWS), int(place[0] * COLUMNS)
    gap = point - nearest[:, row, column]
    ray = direction[:, row, column]
    apart = (gap - (gap @ ray) * ray).norm()
    # A place is seen within half its width: about 1.5 m / 2.65 / 20 here, less at the hand.
    assert apart < (0.025 if camera.mount == 'base' else 0.06)


def test_both_are_differentiable_in_the_poses() -> None:
    chunk = straight_chunk(torch.tensor([[0.03, 0.02, -0.05]])).to(torch.float64)
    position = chunk.position.clone().requires_grad_(True)
    present = torch.randn(1, 2, 3 * 4, 6, dtype=torch.float64)
    cameras = list(CAMERAS.values())

    def outputs(position: Tensor) -> Tensor:
        moved = PoseChunk(position, chunk.rotation, chunk.closedness)
        # Frame 0 lies on the grid itself, where the interpolation has a kink.
        return warp(cameras, present, moved)[:, 1:].sum((2, 3, 4)) + ray_maps(
            cameras, moved, 4, 6
        )[:, 1:].sum((2, 3, 4))

    assert torch.autograd.gradcheck(outputs, position, eps=1e-7, atol=1e-3, rtol=1e-3)


def with_cameras(still_gate: bool = True) -> WorldModel:
    torch.manual_seed(0)
    config = tiny_config()
    config = replace(
        config,
        cameras=tuple(CAMERAS.values()),
        backbone=replace(config.backbone, still_gate=still_gate),
    )
    autoencoder = Autoencoder(AutoencoderConfig(CHANNELS, (8, 16, 16), 1))
    return WorldModel(config, autoencoder).eval().requires_grad_(False)


def condition_of(model: WorldModel, motion: tuple[float, float, float]) -> Condition:
    chunk = straight_chunk(torch.tensor([motion]))
    latents = torch.randn(1, 2, CHANNELS, 12, 8, generator=torch.Generator().manual_seed(5))
    return model.condition(Context(latents, chunk.part([0, 0])), chunk)


@pytest.mark.parametrize('time', [0.0, 0.3, 0.8, 1.0])
def test_an_open_gate_believes_what_was_carried_along(time: float) -> None:
    model = with_cameras(still_gate=False)
    last = model.backbone.unet.conv_out
    torch.nn.init.zeros_(last.weight)
    torch.nn.init.zeros_(last.bias)
    last.bias[-model.config.frames :] = 50.0
    condition = condition_of(model, (0.1, 0.05, -0.05))
    assert condition.warped is not None
    guess = (condition.warped - condition.history[:, -1:]) / model.config.residual_std
    x, start = torch.randn(1, 5, CHANNELS, 12, 8), torch.full((1,), time)
    raw = model.backbone(scaled_input(x, start), condition, start, start)
    found = denoised(x, raw, start)
    # The best estimate for data within 0.5 of the guess: a mean of it and what x shows.
    sigma = (1.0 - time) / max(time, 1e-9)
    trust = 0.25 / (0.25 + sigma**2)
    shown = x / time if time else torch.zeros_like(x)
    torch.testing.assert_close(found, (1 - trust) * guess + trust * shown, atol=1e-4, rtol=1e-4)


def test_weights_without_cameras_grow_into_a_network_that_knows_them() -> None:
    earlier, model = gated_backbone(), with_cameras()
    network = model.backbone
    assert isinstance(network, UNet2D)
    network.load_state_dict(network.grown(earlier.state_dict()))
    condition = condition_of(model, (0.1, 0.05, -0.05))
    noisy, start = torch.randn(1, 5, CHANNELS, 12, 8), torch.zeros(1)
    plain = earlier(noisy, Condition(condition.history, condition.actions), start, start)
    assert condition.warped is not None
    guess = (condition.warped - condition.history[:, -1:]) / model.config.residual_std
    gate = torch.tensor(INITIAL_GATE).sigmoid()
    # At pure noise the raw output is minus the data estimate.
    wanted = plain - gate * guess
    torch.testing.assert_close(
        network(noisy, condition, start, start), wanted, atol=1e-4, rtol=1e-4
    )


def test_dropped_actions_drop_what_they_mean_in_the_views() -> None:
    model = with_cameras()
    noisy, start = torch.randn(1, 5, CHANNELS, 12, 8), torch.full((1,), 0.4)
    one, other = (condition_of(model, (x, 0.0, 0.0)) for x in (0.1, -0.1))
    first, second = (
        model.backbone(noisy, c.without_actions(), start, start) for c in (one, other)
    )
    torch.testing.assert_close(first, second)
    assert not torch.allclose(model.backbone(noisy, one, start, start), first)
    plain = Condition(one.history, one.actions)
    with pytest.raises(ModelError, match='cameras'):
        model.backbone(noisy, plain, start, start)


def test_cameras_are_part_of_a_models_description(tmp_path: Path) -> None:
    from tests.fakes.tiny import save_models

    model = with_cameras()
    again = load_world_model(save_models(tmp_path, model))
    assert again.config.cameras == model.config.cameras
    assert tiny_world_model().config.cameras == ()
    with pytest.raises(ModelError, match='cameras for the views'):
        replace(tiny_config(), cameras=tuple(CAMERAS.values())[:2])
