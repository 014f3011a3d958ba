# SPDX-License-Identifier: Apache-2.0
"""The cameras see what a planner needs, in enough pixels."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from vidplan_sim.arm.kinematics import TCP_FROM_FLANGE_M
from vidplan_sim.render import cameras
from vidplan_sim.scene import OBJECT_AREA_M, START_REGION_M

HEIGHT, WIDTH = 96, 160  # the size that the cell's world model sees
SCENE_VIEWS = ('left', 'right')


def seen(view: str, points: np.ndarray) -> np.ndarray:
    position, rotation = cameras.nominal_pose(view)
    return cameras.project(points, position, rotation, cameras.intrinsics(view, HEIGHT, WIDTH))


def inside(pixels: np.ndarray, margin: float = 0.0) -> bool:
    return bool(np.all(pixels >= margin) and np.all(pixels <= np.array([WIDTH, HEIGHT]) - margin))


@pytest.mark.parametrize('view', SCENE_VIEWS)
def test_scene_views_hold_the_object_area(view: str) -> None:
    corners = np.array(list(product(*OBJECT_AREA_M, (0.0, 0.05))))
    assert inside(seen(view, corners), margin=2.0)


@pytest.mark.parametrize('view', SCENE_VIEWS)
def test_scene_views_hold_the_fingertips_at_every_start(view: str) -> None:
    corners = np.array(list(product(*START_REGION_M)))
    below = np.array(list(product(*START_REGION_M[:2], (0.02,))))
    assert inside(seen(view, np.concatenate([corners, below])))


@pytest.mark.parametrize('view', SCENE_VIEWS)
def test_five_centimetres_are_at_least_twelve_pixels(view: str) -> None:
    _, rotation = cameras.nominal_pose(view)
    for corner in product(*OBJECT_AREA_M, (0.025,)):
        ends = np.array(corner) + np.outer([-0.025, 0.025], rotation[:, 0])
        first, second = seen(view, ends)
        assert np.linalg.norm(second - first) >= 12.0


def test_views_come_from_both_sides() -> None:
    left, right = (cameras.nominal_pose(view)[0] for view in SCENE_VIEWS)
    np.testing.assert_allclose(left * [1.0, -1.0, 1.0], right, atol=1e-12)
    assert left[1] > 0.5


def test_wrist_view_shows_the_point_between_the_fingertips_at_its_lower_edge() -> None:
    (x, y), *_ = seen('wrist', np.array([0.0, 0.0, TCP_FROM_FLANGE_M]))
    assert x == pytest.approx(WIDTH / 2, abs=1e-6)
    assert 0.6 * HEIGHT < y < 0.95 * HEIGHT


def test_pixels_scale_with_the_picture() -> None:
    small, large = cameras.intrinsics('left', 96, 160), cameras.intrinsics('left', 192, 320)
    np.testing.assert_allclose(2.0 * small[:2], large[:2])


def test_points_behind_a_camera_have_no_pixel() -> None:
    position, rotation = cameras.nominal_pose('left')
    behind = position + rotation[:, 2]
    assert np.isnan(seen('left', behind)).all()


def test_unknown_view_is_named() -> None:
    with pytest.raises(ValueError, match="'top'.*left, right, wrist"):
        cameras.intrinsics('top', HEIGHT, WIDTH)
