# SPDX-License-Identifier: Apache-2.0
"""Trees of named transforms: chains both ways, and transforms that give no chain."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from vidplan_core.data.calibration.arm_frames import mount_frame, refuse_joints
from vidplan_core.data.calibration.frames import FrameTree, apart, is_optical
from vidplan_core.data.calibration.hand_eye import CalibrationError

Array = NDArray[np.float64]
STILL = (0.0, 0.0, 0.0, 1.0)
TURNED = (0.0, 0.0, np.sin(0.01), np.cos(0.01))
numbers = st.floats(-2.0, 2.0)
steps = st.tuples(st.tuples(numbers, numbers, numbers), st.tuples(numbers, numbers, numbers))


def matrix(position: tuple[float, ...], turn: tuple[float, ...]) -> Array:
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = Rotation.from_rotvec(turn).as_matrix(), position
    return pose


def tree_of(*edges: tuple[str, str], fixed: bool = True) -> FrameTree:
    tree = FrameTree()
    for parent, child in edges:
        tree.add(parent, child, (1.0, 0.0, 0.0), STILL, fixed=fixed)
    return tree


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(steps, st.integers(0, 99)), min_size=2, max_size=7), st.data())
def test_chains_are_products_and_form_a_group(
    drawn: list[tuple[tuple[tuple[float, ...], tuple[float, ...]], int]], data: st.DataObject
) -> None:
    tree, world = FrameTree(), [np.eye(4)]
    for number, ((position, turn), above) in enumerate(drawn, 1):
        pose = matrix(position, turn)
        parent = above % number
        world.append(world[parent] @ pose)
        tree.add(f'f{parent}', f'/f{number}', position, Rotation.from_rotvec(turn).as_quat())
    a, b, c = (data.draw(st.integers(0, len(drawn))) for _ in range(3))
    between = tree.between(f'f{a}', f'f{b}')
    np.testing.assert_allclose(between, np.linalg.inv(world[a]) @ world[b], atol=1e-9)
    np.testing.assert_allclose(between @ tree.between(f'f{b}', f'f{a}'), np.eye(4), atol=1e-9)
    through = between @ tree.between(f'f{b}', f'f{c}')
    np.testing.assert_allclose(through, tree.between(f'f{a}', f'f{c}'), atol=1e-9)


@pytest.mark.parametrize(
    ('position', 'quaternion', 'says'),
    [
        ((1.002, 0.0, 0.0), STILL, 'cam moves in stand (2.0 mm'),
        ((1.0, 0.0, 0.0), TURNED, '1.15 degrees'),
        ((np.nan, 0.0, 0.0), STILL, 'where cam is in stand is not finite'),
        ((1.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.9), 'has the length 0.9'),
        ((1.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0), 'has the length 0'),
    ],
)
def test_a_transform_that_cannot_be_used_stops_only_chains_that_need_it(
    position: tuple[float, ...], quaternion: tuple[float, ...], says: str
) -> None:
    tree = tree_of(('base', 'stand'), ('stand', 'cam'), ('stand', 'lamp'))
    tree.add('stand', 'cam', position, quaternion)
    with pytest.raises(CalibrationError, match='no fixed way from base to cam') as raised:
        tree.between('base', 'cam')
    assert says in str(raised.value)
    np.testing.assert_allclose(tree.between('base', 'lamp')[:3, 3], [2.0, 0.0, 0.0])


def test_what_moves_less_than_the_limits_stands_still() -> None:
    tree = tree_of(('base', 'cam'), fixed=False)
    tree.add('base', 'cam', (1.0005, 0.0, 0.0), (0.0, 0.0, 5e-4, 1.0), fixed=False)
    assert tree.between('base', 'cam')[0, 3] == 1.0
    assert tree.unsure('cam', 'base') == ['cam']


@pytest.mark.parametrize(
    ('names', 'says'),
    [
        (('base', 'left_optical_fram'), 'nearest are left_optical_frame'),
        (('bsae', 'left_optical_frame'), "no frame 'bsae' in the recording; nearest are base"),
        (('base', 'island'), 'not connected'),
        (('base', 'twice'), 'several parents, base and shore'),
    ],
)
def test_frames_without_a_chain(names: tuple[str, str], says: str) -> None:
    tree = tree_of(
        ('base', 'left_optical_frame'), ('sea', 'island'), ('base', 'twice'), ('shore', 'twice')
    )
    with pytest.raises(CalibrationError) as raised:
        tree.between(*names)
    assert says in str(raised.value)


def test_the_optical_frame_on_a_camera_is_named() -> None:
    tree = tree_of(('base', 'cam'), ('cam', 'cam_optical_frame'), ('cam', 'cam_imu'))
    assert tree.optical_near('cam') == ['cam_optical_frame']
    assert is_optical('cam_optical_frame')
    assert not is_optical('optical/cam')


def test_how_far_poses_are_apart() -> None:
    far_m, turned_rad = apart(np.eye(4), matrix((0.0, 0.3, 0.4), (0.2, 0.0, 0.0)))
    assert (far_m, turned_rad) == pytest.approx((0.5, 0.2))


@pytest.mark.parametrize(
    ('names', 'mount', 'joint', 'frame'),
    [
        (('base', 'fr3_link0', 'fr3_link8'), 'base', 'fr3_joint1', 'fr3_link0'),
        (('fr3_link8', 'fr3_hand', 'fr3_hand_tcp'), 'flange', 'fr3_joint1', 'fr3_link8'),
        (('panda_link0', 'panda_link8'), 'flange', 'fr3_joint1', 'panda_link8'),
        (('a_fr3_link0', 'b_fr3_link0'), 'base', 'b_fr3_joint1', 'b_fr3_link0'),
        (('link0', 'link8'), 'base', 'joint1', 'link0'),
        (('base', 'camera_link0'), 'base', 'fr3_joint1', 'base'),
    ],
)
def test_the_arms_own_frames_are_found(
    names: tuple[str, ...], mount: str, joint: str, frame: str
) -> None:
    assert mount_frame(names, mount, joint) == frame


@pytest.mark.parametrize(
    ('names', 'mount', 'says'),
    [
        (('a_fr3_link0', 'b_fr3_link0', 'base'), 'base', 'there are a_fr3_link0, b_fr3_link0'),
        (('fr3_hand', 'base'), 'flange', 'there is no fr3_link8; name it by --parent'),
    ],
)
def test_no_frame_is_guessed(names: tuple[str, ...], mount: str, says: str) -> None:
    with pytest.raises(CalibrationError, match='which frame') as raised:
        mount_frame(names, mount, 'fr3_joint1')
    assert says in str(raised.value)


def test_a_resting_arm_is_no_stand() -> None:
    tree = tree_of(*((f'fr3_link{n}', f'fr3_link{n + 1}') for n in range(8)), ('fr3_link8', 'cam'))
    refuse_joints(tree)
    with pytest.raises(CalibrationError, match='a joint of the arm moves fr3_link1 in fr3_link0'):
        tree.between('fr3_link0', 'cam')
    assert tree.between('fr3_link7', 'cam')[0, 3] == 2.0
