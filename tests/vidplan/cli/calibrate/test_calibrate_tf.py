# SPDX-License-Identifier: Apache-2.0
"""`vidplan calibrate --from-tf` on a made recording: TF and what a driver says of its camera."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tests.fakes.synthetic_bag import STORE, _header, _new, image_message
from vidplan.cli.main import main
from vidplan_eval.bags.writer import BagTopic, BagWriter

TF, INFO, IMAGE = 'tf2_msgs/msg/TFMessage', 'sensor_msgs/msg/CameraInfo', 'sensor_msgs/msg/Image'
TOPICS = {
    '/tf': TF,
    '/tf_static': TF,
    '/zed_left/camera_info': INFO,
    'wrist/image_raw': IMAGE,
}
OPTICAL = Rotation.from_euler('xyz', [-90, 0, -90], degrees=True)
TILT = Rotation.from_euler('y', 30, degrees=True)


def transform(parent: str, child: str, place: list[float], turn: Rotation) -> Any:
    x, y, z, w = turn.as_quat()
    header = _header(100.0)
    header.frame_id = parent
    return _new(
        'geometry_msgs/msg/TransformStamped',
        header=header,
        child_frame_id=child,
        transform=_new(
            'geometry_msgs/msg/Transform',
            translation=_new(
                'geometry_msgs/msg/Vector3', **dict(zip('xyz', map(float, place), strict=True))
            ),
            rotation=_new('geometry_msgs/msg/Quaternion', x=x, y=y, z=z, w=w),
        ),
    )


def camera_info(frame: str) -> Any:
    header = _header(100.0)
    header.frame_id = frame
    roi = _new('sensor_msgs/msg/RegionOfInterest', x_offset=0, y_offset=0, height=0, width=0,
               do_rectify=False)  # fmt: skip
    k = np.array([384.0, 0, 319.5, 0, 384.0, 239.5, 0, 0, 1])
    return _new(
        INFO, header=header, height=480, width=640, distortion_model='plumb_bob', d=np.zeros(5),
        k=k, r=np.eye(3).ravel(), p=np.r_[k[:3], 0, k[3:6], 0, k[6:], 0], binning_x=0,
        binning_y=0, roi=roi,
    )  # fmt: skip


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    """One camera on a stand, known by its driver's frames; one on the hand, whose arm moves."""
    none = Rotation.identity()
    stand = [
        transform('base', 'fr3_link0', [0.0, 0.0, 0.1], none),
        transform('base', 'zed_link', [1.0, 0.5, 0.6], TILT),
        transform('zed_link', 'zed_optical_frame', [0.0, 0.06, 0.0], OPTICAL),
        transform('fr3_link8', 'wrist_optical_frame', [0.05, 0.0, 0.02], none),
        transform('fr3_link8', 'fr3_hand', [0.0, 0.0, 0.0], none),
    ]
    picture = image_message(100.0)
    picture.header.frame_id = '/wrist_optical_frame'
    rows = [('/tf_static', stand), ('/zed_left/camera_info', camera_info('zed_optical_frame'))]
    rows += [('wrist/image_raw', picture)]
    for angle in (0.0, 0.3):
        arm = [
            transform(f'fr3_link{n}', f'fr3_link{n + 1}', [0, 0, 0.1], Rotation.from_rotvec(turn))
            for n, turn in enumerate([[0.0, 0.0, angle], *[[0.0, 0.0, 0.0]] * 7])
        ]
        rows.append(('/tf', arm))
    topics = [BagTopic(role, '/' + role.lstrip('/'), kind) for role, kind in TOPICS.items()]
    with BagWriter(tmp_path / 'bag', topics, store=STORE) as writer:
        for number, (role, message) in enumerate(rows):
            made = _new(TF, transforms=message) if isinstance(message, list) else message
            data = bytes(STORE.serialize_cdr(made, TOPICS[role]))
            writer.write(role, round((100.0 + number) * 1e9), data)
    return tmp_path / 'bag'


def calibrate(bag: Path, view: str, *words: object) -> int:
    return main([str(word) for word in ('calibrate', bag, '--from-tf', '--view', view, *words)])


def test_a_stand_is_where_tf_says(
    bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, other = tmp_path / 'cameras.json', tmp_path / 'models' / 'cameras.json'
    assert calibrate(bag, 'left', '--out', out) == 0
    written = json.loads(out.read_text())
    entry = written['left']
    np.testing.assert_allclose(entry['rotation'], (TILT * OPTICAL).as_matrix(), atol=1e-7)
    np.testing.assert_allclose(entry['position'], [1.0, 0.56, 0.5], atol=1e-6)
    assert (entry['mount'], entry['focal']) == ('base', [0.6, 0.8])
    assert 'warning' not in capsys.readouterr().out

    entry['position'][0] += 0.01
    other.parent.mkdir()
    other.write_text(json.dumps(written))
    assert calibrate(bag, 'left', '--out', out, '--models', other.parent) == 0
    said = capsys.readouterr().out
    assert f'{out} has left 0.0 mm and 0.00 degrees from this' in said
    assert f'{other} has left 10.0 mm and 0.00 degrees from this' in said


def test_a_hand_is_where_tf_says(
    bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / 'cameras.json'
    out.write_text('{"wrist": {"mount": "base"}}')
    assert calibrate(bag, 'wrist', '--focal', 0.4, 0.7, '--out', out) == 0
    entry = json.loads(out.read_text())['wrist']
    assert (entry['mount'], entry['position']) == ('flange', [0.05, 0.0, 0.02])
    assert f'{out} has wrist on the base, this is on the flange' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('view', 'words', 'says'),
    [
        ('left', ('--frame', 'zed_link'), 'say --frame zed_optical_frame'),
        ('wrist', ('--focal', 1, 1, '--parent', 'fr3_hand'), 'fr3_hand is called as a hand'),
        ('wrist', ('--focal', 1, 1, '--parent', 'fr3_link7'), 'fr3_link8 stood still in this'),
    ],
)
def test_doubtful_frames_are_named(
    bag: Path, capsys: pytest.CaptureFixture[str], view: str, words: tuple[object, ...], says: str
) -> None:
    assert calibrate(bag, view, *words) == 0
    assert says in capsys.readouterr().out


@pytest.mark.parametrize(
    ('view', 'words', 'says'),
    [
        ('left', ('--frame', 'zed_optical'), 'nearest are zed_optical_frame'),
        ('wrist', ('--mount', 'base'), 'a joint of the arm moves fr3_link1 in fr3_link0'),
        ('left', ('--mount', 'flange'), 'no fixed way from fr3_link8 to zed_optical_frame'),
        ('wrist', (), 'nothing says which lens'),
        ('left', ('--parent', 'world'), "no frame 'world'"),
        ('right', (), 'name --frame, and --lens or --focal'),
        ('right', (), 'no topic whose name says clearly that it is the camera right'),
    ],
)
def test_recordings_from_which_nothing_follows(
    bag: Path, capsys: pytest.CaptureFixture[str], view: str, words: tuple[object, ...], says: str
) -> None:
    assert calibrate(bag, view, *words) == 2
    assert says in capsys.readouterr().err


def test_a_recording_without_transforms(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with BagWriter(tmp_path / 'bag', [BagTopic('x', '/x', INFO)], store=STORE) as writer:
        writer.write('x', 1, bytes(STORE.serialize_cdr(camera_info(''), INFO)))
    assert calibrate(tmp_path / 'bag', 'left') == 2
    assert 'ros2 bag record /tf_static /tf' in capsys.readouterr().err
