# SPDX-License-Identifier: Apache-2.0
"""A recording with a tag that is drawn into its pictures, without a simulator."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from tests.fakes.synthetic_bag import STORE, _header, _new, joint_message
from vidplan.cli.main import main
from vidplan_core.data.calibration.lens import Lens
from vidplan_core.data.calibration.tag import Tag
from vidplan_core.geometry.fk import flange_pose
from vidplan_core.geometry.robot_files import default_robot
from vidplan_eval.bags.recording import JOINTS
from vidplan_eval.bags.writer import BagTopic, BagWriter

Array = NDArray[np.float64]

TAG = Tag(0.08)
LENS = Lens.ideal(640, 480, (1.2, 1.6))
IMAGE, INFO, STATE = (f'sensor_msgs/msg/{name}' for name in ('Image', 'CameraInfo', 'JointState'))
HOME = np.array([0.0, -0.785, 0.0, -2.356, 0.0, 1.571, 0.785])
PRINTED, MARGIN = 320, 60


def frame(turn: Array, place: Array) -> Array:
    made = np.eye(4)
    made[:3, :3], made[:3, 3] = Rotation.from_rotvec(turn).as_matrix(), place
    return made


ON_HAND = frame(np.array([0.3, 1.2, 0.2]), np.array([0.08, 0.02, 0.05]))


def flange(q: Array) -> Array:
    position, rotation = flange_pose(torch.from_numpy(q))
    made = np.eye(4)
    made[:3, :3], made[:3, 3] = rotation.numpy(), position.numpy()
    return made


#: The camera sees the tag from the front when the arm is at home, at 0.6 m.
BEFORE = frame(np.array([np.pi, 0.0, 0.0]), np.array([0.0, 0.0, 0.6]))
CAMERA = flange(HOME) @ ON_HAND @ np.linalg.inv(BEFORE)


def drawn(q: Array) -> NDArray[np.uint8]:
    """What the camera sees, uint8 (480, 640, 3)."""
    points = np.c_[TAG.corners_m, np.ones(4)] @ (np.linalg.inv(CAMERA) @ flange(q) @ ON_HAND).T
    target = points[:, :2] / points[:, 2:3] * LENS.focal + LENS.centre
    ends = np.array([[0, 0], [PRINTED, 0], [PRINTED, PRINTED], [0, PRINTED]]) + MARGIN - 0.5
    warp = cv2.getPerspectiveTransform(
        ends.astype(np.float32), (4 * target + 1.5).astype(np.float32)
    )
    large = cv2.warpPerspective(
        TAG.picture(PRINTED, MARGIN), warp, (2560, 1920), borderValue=(120, 120, 120)
    )
    return np.asarray(cv2.resize(large, (640, 480), interpolation=cv2.INTER_AREA), np.uint8)


def poses(count: int) -> list[Array]:
    random = np.random.default_rng(0)
    return [HOME + random.uniform(-0.1, 0.1, 7) * [1, 1, 1, 1, 3, 3, 3] for _ in range(count)]


def image_message(pixels: NDArray[np.uint8], time_s: float) -> object:
    return _new(
        IMAGE, header=_header(time_s), height=480, width=640, encoding='rgb8', is_bigendian=0,
        step=640 * 3, data=pixels.reshape(-1),
    )  # fmt: skip


def info_message(time_s: float) -> object:
    roi = _new('sensor_msgs/msg/RegionOfInterest', x_offset=0, y_offset=0, height=0, width=0,
               do_rectify=False)  # fmt: skip
    k = LENS.matrix.ravel()
    return _new(
        INFO, header=_header(time_s), height=480, width=640, distortion_model='plumb_bob',
        d=np.zeros(5), k=k, r=np.eye(3).ravel(), p=np.r_[k[:3], 0, k[3:6], 0, k[6:], 0],
        binning_x=0, binning_y=0, roi=roi,
    )  # fmt: skip


def record(path: Path, count: int, *, info: bool) -> Path:
    """Write a bag: the arm goes from pose to pose, and rests half a second in each."""
    topics = [
        BagTopic('left/image_raw', '/left/image_raw', IMAGE),
        BagTopic('left/camera_info', '/left/camera_info', INFO),
        BagTopic(JOINTS, '/joint_states', STATE),
    ]
    kinds = {topic.role: topic.type_name for topic in topics}
    with BagWriter(path, topics, store=STORE) as writer:

        def write(role: str, time_s: float, message: object) -> None:
            data = bytes(STORE.serialize_cdr(message, kinds[role]))
            writer.write(role, round(time_s * 1e9), data)

        time_s = 100.0
        if info:
            write('left/camera_info', time_s, info_message(time_s))
        for q in poses(count):
            pixels = drawn(q)
            for _ in range(5):
                state = joint_message(default_robot().joint_names, q, np.zeros(7), time_s)
                write(JOINTS, time_s, state)
                write('left/image_raw', time_s, image_message(pixels, time_s))
                time_s += 0.1
    return path


def calibrate(bag: Path, *words: object) -> int:
    words = ('calibrate', bag, '--view', 'left', '--tag', TAG.size_m, *words)
    return main([str(word) for word in words])


def test_a_recording_says_where_its_camera_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / 'cameras.json'
    out.write_text('{"wrist": {"mount": "flange"}}')
    assert calibrate(record(tmp_path / 'bag', 12, info=True), '--out', out) == 0
    written = json.loads(out.read_text())
    np.testing.assert_allclose(written['left']['position'], CAMERA[:3, 3], atol=3e-3)
    np.testing.assert_allclose(written['left']['rotation'], CAMERA[:3, :3], atol=6e-3)
    np.testing.assert_allclose(written['left']['focal'], [1.2, 1.6])
    assert written['wrist'] == {'mount': 'flange'}
    assert 'px off (rms)' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('count', 'info', 'words', 'says'),
    [
        (5, True, (), 'found in 5 pictures of a resting arm'),
        (5, False, (), 'no camera_info in the recording; give --lens YAML'),
        (5, True, ('--number', 7), 'found in 0 pictures'),
    ],
    ids=['few poses', 'no lens', 'another tag'],
)
def test_recordings_from_which_nothing_follows(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    count: int,
    info: bool,
    words: tuple[object, ...],
    says: str,
) -> None:
    assert calibrate(record(tmp_path / 'bag', count, info=info), *words) == 2
    assert says in capsys.readouterr().err


def test_a_tag_is_printed_in_its_size(tmp_path: Path) -> None:
    from PIL import Image

    assert main(['calibrate', '--tag', '0.05', '--print', str(tmp_path / 'tag.png')]) == 0
    with Image.open(tmp_path / 'tag.png') as picture:
        dots = picture.info['dpi'][0] / 0.0254
        pixels = np.asarray(picture)
    black = np.flatnonzero(pixels[len(pixels) // 2 - 3, :, 0] == 0)
    assert (black[-1] - black[0] + 1) / dots == pytest.approx(0.05, abs=1e-4)
    corners = TAG.find(pixels)
    assert corners is not None
