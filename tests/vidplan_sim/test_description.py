# SPDX-License-Identifier: Apache-2.0
"""Viewers are shown the cell where it is."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname
from xml.etree import ElementTree

import numpy as np
import pytest

from vidplan_sim.arm.kinematics import ARM_JOINTS, FINGER_JOINTS, Q_READY, forward
from vidplan_sim.render.cameras import VIEWS
from vidplan_sim.render.description import FLANGE, cell_frames, urdf

FRAMES = {frame.name: frame for frame in cell_frames()}
POSITIONS = dict(zip(ARM_JOINTS, Q_READY + 0.2)) | dict.fromkeys(FINGER_JOINTS, 0.01)


def in_base(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Position (3,) and rotation (3, 3) of a frame in the base."""
    frame = FRAMES[name]
    position, rotation = frame.at(POSITIONS)
    if not frame.parent:
        return position, rotation
    above, turn = in_base(frame.parent)
    return above + turn @ position, turn @ rotation


def test_the_flange_is_where_the_arm_has_it() -> None:
    position, rotation, _ = forward(Q_READY + 0.2)
    found = in_base(FLANGE)
    np.testing.assert_allclose(found[0], position, atol=1e-6)
    np.testing.assert_allclose(found[1], rotation, atol=1e-6)


def test_fingers_open_to_both_sides_of_the_hand() -> None:
    hand = in_base('hand')[0]
    left, right = (in_base(f'{side}_finger')[0] for side in ('left', 'right'))
    assert np.linalg.norm(left - right) == pytest.approx(0.02)
    middle = np.linalg.norm((left + right) / 2 - hand)
    assert middle == pytest.approx(0.0584, abs=1e-6)


@pytest.mark.parametrize('view', VIEWS)
def test_cameras_look_at_the_table(view: str) -> None:
    position, rotation = in_base(f'{view}_optical_frame')
    assert position[2] > 0.1
    assert rotation[2, 2] < 0.0  # z is forward
    assert np.linalg.det(rotation) == pytest.approx(1.0)


def test_the_description_has_every_frame_once_and_meshes_that_are_there() -> None:
    robot = ElementTree.fromstring(urdf(cell_frames()))
    assert [link.get('name') for link in robot.iter('link')] == list(FRAMES)
    joints = {joint.get('name') for joint in robot.iter('joint')}
    assert {*ARM_JOINTS, *FINGER_JOINTS} <= joints
    assert len(joints) == len(FRAMES) - 1
    names = [str(mesh.get('filename')) for mesh in robot.iter('mesh')]
    meshes = [url2pathname(urlsplit(name).path) for name in names]
    assert len(meshes) > 20
    assert all(Path(mesh).is_file() for mesh in meshes)
