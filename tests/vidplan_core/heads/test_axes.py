# SPDX-License-Identifier: Apache-2.0
"""How things lie: from maps of things drawn on a table, seen by a hand above and from aside."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.geometry.camera import Camera
from vidplan_core.heads.axes import axes_of, beside_axes

ROWS, COLUMNS = 24, 40
AT = torch.tensor([0.5, 0.05, 0.0])
DOWN = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
ON_HAND = Camera('flange', (0.0, 0.0, 0.0), tuple(map(tuple, torch.eye(3).tolist())), (0.8, 1.3),
                 0.01)  # fmt: skip
ABOVE = Camera('base', (0.5, 0.0, 0.35), tuple(map(tuple, DOWN.tolist())), (0.8, 1.3), 0.01)


def hand(yaw: float) -> PoseChunk:
    """A flange 30 cm above the thing, looking down."""
    cosine, sine = torch.tensor(yaw).cos(), torch.tensor(yaw).sin()
    about = torch.tensor([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    position = AT + torch.tensor([0.02, -0.01, 0.30])
    return PoseChunk(position[None, None], (about @ DOWN)[None, None], torch.zeros(1, 1))


def drawn(camera: Camera, poses: PoseChunk, angle: float, long_m: float, wide_m: float) -> Tensor:
    """The map (rows, columns) of a rectangle on the table, found cell by cell along rays."""
    y, x = torch.meshgrid(
        (torch.arange(ROWS) + 0.5) / ROWS, (torch.arange(COLUMNS) + 0.5) / COLUMNS, indexing='ij'
    )
    places = torch.stack([x, y], -1)
    points = camera.on_plane(places, poses.position[0, 0], poses.rotation[0, 0], 0.0) - AT
    cosine, sine = torch.tensor(angle).cos(), torch.tensor(angle).sin()
    along = cosine * points[..., 0] + sine * points[..., 1]
    across = cosine * points[..., 1] - sine * points[..., 0]
    inside = (along.abs() < long_m / 2) & (across.abs() < wide_m / 2)
    return torch.where(inside, 0.8, 0.3)


def lies(cameras: list[Camera], poses: PoseChunk, maps: Tensor) -> Tensor:
    """Of the one thing in maps (views, rows, columns)."""
    places = torch.cat([AT, torch.ones(1)])[None, None]
    return axes_of(cameras, maps[None, None], places, poses)[0, 0]


@pytest.mark.parametrize('camera', [ON_HAND, ABOVE], ids=['on the hand', 'fixed'])
@pytest.mark.parametrize('angle', [-1.2, -0.4, 0.0, 0.7, 1.5])
def test_a_long_thing_lies_as_it_was_drawn(camera: Camera, angle: float) -> None:
    poses = hand(0.5)
    axis = lies([camera], poses, drawn(camera, poses, angle, 0.12, 0.04)[None])
    found = 0.5 * torch.atan2(axis[1], axis[0])
    wrong = torch.remainder(found - angle + torch.pi / 2, torch.pi) - torch.pi / 2
    assert abs(float(wrong)) < 0.06  # cells are 1 to 2 cm
    assert 0.6 < float(axis[2]) < 0.95  # (12^2 - 4^2) / (12^2 + 4^2) = 0.8
    assert float(axis[3]) > 0.8


def test_a_square_is_not_long() -> None:
    poses = hand(0.2)
    axis = lies([ON_HAND], poses, drawn(ON_HAND, poses, 0.3, 0.08, 0.08)[None])
    assert float(axis[2]) < 0.15


def test_what_is_not_seen_is_not_certain() -> None:
    axis = lies([ON_HAND], hand(0.0), torch.full((1, ROWS, COLUMNS), 0.3))
    assert torch.isfinite(axis).all()
    assert float(axis[3]) == 0.0


def test_a_camera_on_the_hand_is_asked_alone() -> None:
    poses = hand(0.0)
    mine = drawn(ON_HAND, poses, 0.7, 0.12, 0.04)
    other = drawn(ABOVE, poses, -0.7, 0.12, 0.04)
    both = lies([ABOVE, ON_HAND], poses, torch.stack([other, mine]))
    torch.testing.assert_close(both, lies([ON_HAND], poses, mine[None]))


@pytest.mark.parametrize('yaw', [-1.0, 0.0, 0.8])
def test_beside_a_hand_that_turns_with_the_thing_nothing_changes(yaw: float) -> None:
    doubled = 2 * (0.3 + yaw)
    axis = torch.tensor([math.cos(doubled), math.sin(doubled), 1.0, 1.0])
    found = beside_axes(axis, hand(yaw).rotation[0, 0])
    angle = 0.5 * torch.atan2(found[1], found[0])
    assert float(angle) == pytest.approx(0.3, abs=1e-4)
    assert found[2:].tolist() == pytest.approx([1.0, 1.0])
