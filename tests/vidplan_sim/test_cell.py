# SPDX-License-Identifier: Apache-2.0
"""The cell is reproducible, can be branched, obeys commands and says what is wrong."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from vidplan_sim.arm.kinematics import ARM_JOINTS, forward
from vidplan_sim.arm.trajectory_controller import Point, TrajectoryRejected
from vidplan_sim.cell import Cell, SimulationDiverged
from vidplan_sim.objects.everyday import KIND_NAMES
from vidplan_sim.scene import ObjectPlacement, Scene, random_scene

SIZE = (96, 160)


@pytest.fixture(scope='module')
def shared() -> Iterator[Cell]:
    cell = Cell(*SIZE)
    yield cell
    cell.close()


@pytest.fixture
def cell(shared: Cell) -> Cell:
    shared.reset(random_scene(3, 3))
    return shared


def reach(cell: Cell, offset: float = 0.15, duration_s: float = 0.6) -> np.ndarray:
    """Send the arm to `offset` rad from where it is, at rest at the end."""
    target = cell.q + offset
    cell.send_trajectory(ARM_JOINTS, [Point(target, np.zeros(7), None, duration_s)])
    return target


def play(cell: Cell, seed: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    cell.reset(random_scene(seed, 3))
    reach(cell)
    cell.send_gripper(1.0)
    cell.step(0.5)
    return cell.q, cell.render()


def assert_same(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> None:
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def test_same_scene_and_commands_repeat_bit_by_bit(shared: Cell) -> None:
    q, images = play(shared, 5)
    play(shared, 6)  # another scene in between must leave no trace
    q_again, images_again = play(shared, 5)
    np.testing.assert_array_equal(q, q_again)
    assert_same(images, images_again)


def test_restore_branches_exactly(cell: Cell) -> None:
    reach(cell)
    cell.send_gripper(0.7)
    cell.step(0.2)
    state = cell.save()
    cell.step(0.3)
    q, images, truth, time_s = cell.q, cell.render(), cell.truth(), cell.time_s
    play(cell, 8)
    cell.restore(state)
    cell.step(0.3)
    np.testing.assert_array_equal(cell.q, q)
    assert cell.time_s == time_s
    assert_same(cell.truth(), truth)
    assert_same(cell.render(), images)


def test_outcome_does_not_depend_on_how_time_is_cut(cell: Cell) -> None:
    state = cell.save()
    reach(cell)
    cell.step(0.4)
    whole = cell.q
    cell.restore(state)
    reach(cell)
    for _ in range(10):
        cell.step(0.04)
    np.testing.assert_array_equal(cell.q, whole)
    assert cell.time_s == pytest.approx(0.4)


def test_starts_at_rest_where_the_scene_says(cell: Cell) -> None:
    np.testing.assert_allclose(cell.q, cell.scene.q_start, atol=2e-3)
    np.testing.assert_array_equal(cell.dq, np.zeros(7))
    assert cell.time_s == 0.0
    assert cell.closedness == pytest.approx(0.0, abs=0.01)
    for placement in (*cell.scene.objects, cell.scene.bowl):
        np.testing.assert_allclose(cell.truth()[placement.kind][:2],
                                   [placement.x, placement.y], atol=6e-3)


def test_arm_follows_its_trajectory_closely(cell: Cell) -> None:
    target = reach(cell, 0.12, 0.8)
    for _ in range(50):
        cell.step(0.02)
        wanted, _ = cell.controller.sample(cell.time_s)
        lag_m = np.linalg.norm(forward(wanted)[0] - forward(cell.q)[0])
        assert lag_m < 0.005
    np.testing.assert_allclose(cell.q, target, atol=2e-3)


def test_poses_agree(cell: Cell) -> None:
    position, quaternion = cell.flange_pose()
    expected, rotation, _ = forward(cell.q)
    np.testing.assert_allclose(position, expected, atol=1e-5)
    np.testing.assert_allclose(cell.tcp, expected + 0.1034 * rotation[:, 2], atol=1e-5)
    assert np.linalg.norm(quaternion) == pytest.approx(1.0)
    # The flange's z axis points down: the last column of the quaternion's rotation.
    x, y, z, w = quaternion
    assert 1.0 - 2.0 * (x * x + y * y) == pytest.approx(-1.0, abs=1e-3)


def test_gripper_closes_at_a_real_hands_speed(cell: Cell) -> None:
    cell.send_gripper(1.0)
    cell.step(0.3)
    assert 0.2 < cell.closedness < 0.5
    cell.step(0.7)
    assert cell.closedness > 0.9


def test_pictures_and_segments_have_the_asked_size(cell: Cell) -> None:
    for images, shape, dtype in ((cell.render(), (*SIZE, 3), np.uint8),
                                 (cell.segmentation(), SIZE, np.int16)):
        assert list(images) == ['left', 'right', 'wrist']
        for image in images.values():
            assert image.shape == shape
            assert image.dtype == dtype


def test_segments_are_the_things_in_the_scene(cell: Cell) -> None:
    names = set()
    for view, segments in cell.segmentation().items():
        present = {cell.segment_names[i] for i in np.unique(segments)}
        assert {'background', 'gripper'} <= present, view
        names |= present
    things = {placement.kind for placement in cell.scene.objects}
    assert names == things | {'background', 'robot', 'gripper', 'bowl'}


@pytest.mark.parametrize('kind', [name for name in KIND_NAMES if name != 'pea'])
def test_every_kind_is_large_enough_in_both_scene_views(shared: Cell, kind: str) -> None:
    shared.reset(Scene(0, (ObjectPlacement(kind, 0.4, -0.15, 0.8),)))
    index = shared.segment_names.index(kind)
    for view in ('left', 'right'):
        rows, columns = np.nonzero(shared.segmentation()[view] == index)
        assert max(np.ptp(rows), np.ptp(columns)) + 1 >= 10, view
        assert len(rows) >= 50, view


@pytest.mark.parametrize('kinds', [KIND_NAMES[:6], KIND_NAMES[6:12], KIND_NAMES[-6:]])
def test_objects_stand_still(shared: Cell, kinds: tuple[str, ...]) -> None:
    spots = [(x, y) for x in (0.4, 0.6) for y in (-0.15, -0.03, 0.09)]
    objects = tuple(ObjectPlacement(kind, x, y, 0.7 * i)
                    for i, (kind, (x, y)) in enumerate(zip(kinds, spots)))
    shared.reset(Scene(0, objects, ObjectPlacement('bowl', 0.5, 0.2)))
    before = shared.truth()
    shared.step(1.0)
    for kind, position in shared.truth().items():
        np.testing.assert_allclose(position, before[kind], atol=1e-3, err_msg=kind)
        assert position[2] < 0.07, kind


def test_needs_a_scene_first() -> None:
    with pytest.raises(RuntimeError, match='reset'):
        Cell(*SIZE).step(0.1)


@pytest.mark.parametrize('size', [(0, 320), (192, 5000)])
def test_impossible_picture_sizes_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match='image size'):
        Cell(*size)


@pytest.mark.parametrize('duration_s', [-0.1, float('nan')])
def test_impossible_durations_are_refused(cell: Cell, duration_s: float) -> None:
    with pytest.raises(ValueError, match='duration_s'):
        cell.step(duration_s)


@pytest.mark.parametrize('closedness', [-0.1, 1.1, float('nan')])
def test_impossible_gripper_commands_are_refused(cell: Cell, closedness: float) -> None:
    with pytest.raises(ValueError, match='closedness'):
        cell.send_gripper(closedness)


def test_refused_trajectories_do_not_move_the_arm(cell: Cell) -> None:
    with pytest.raises(TrajectoryRejected):
        cell.send_trajectory(ARM_JOINTS[:6], [Point([0.0] * 6, None, None, 1.0)])
    before = cell.q
    cell.step(0.2)
    np.testing.assert_allclose(cell.q, before, atol=1e-4)


def test_diverged_physics_is_an_error_that_restoring_heals(cell: Cell) -> None:
    state = cell.save()
    cell._data.qvel[20] = np.nan
    with pytest.raises(SimulationDiverged):
        cell.step(0.04)
    cell.restore(state)
    cell.step(0.04)
    assert np.isfinite(cell.q).all()


def test_absent_objects_are_named(cell: Cell) -> None:
    with pytest.raises(ValueError, match="no 'unicorn'.*bowl"):
        cell.object_pose('unicorn')
