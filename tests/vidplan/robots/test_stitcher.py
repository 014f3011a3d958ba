# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('vidplan_msgs.msg', reason='needs the built workspace')

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState
from std_srvs.srv import Trigger

from tests.vidplan.robots.fake_robot import BLACK, COLOURS, HOME, FakeRobot
from vidplan.robots.stitcher_node import Stitcher
from vidplan.ros.conversions import observation_from_message, stamp
from vidplan.ros.diagnostics import DOUBT
from vidplan.ros.images import image_to_rgb, to_image
from vidplan_core.data.readings import seconds
from vidplan_core.errors import ConfigError, ObservationError
from vidplan_core.geometry.camera_files import default_layout
from vidplan_core.geometry.fk import flange_pose
from vidplan_core.geometry.robot_files import load_robot
from vidplan_core.strict_yaml import packaged
from vidplan_msgs.msg import Observation

pytestmark = pytest.mark.ros
LAYOUT = default_layout().resized(12, 20)


def write_layout(folder: Path, views: Sequence[str]) -> Path:
    """Write a layout of small views."""
    path = folder / 'cameras.yaml'
    path.write_text(f'views: [{", ".join(views)}]\nheight: 12\nwidth: 20\n')
    return path


@pytest.fixture
def stitcher(ros: Any, tmp_path: Path) -> Stitcher:
    small = write_layout(tmp_path, default_layout().views)
    # Generous times: a busy machine must not look like a broken camera.
    overrides = {
        'cameras': str(small),
        'publish_rate_hz': 60.0,
        'max_age_s': 5.0,
        'max_joint_gap_s': 1.0,
    }
    return ros.add(
        Stitcher(
            parameter_overrides=[Parameter(name, value=value) for name, value in overrides.items()]
        )
    )


@pytest.fixture
def robot(ros: Any, stitcher: Stitcher) -> FakeRobot:
    robot = FakeRobot(ros.node)
    ros.connect(*robot.publishers)
    return robot


def repeat(ros: Any, publish: Callable[[], None], until: Callable[[], Any]) -> Any:
    """Publish at about 20 Hz until the condition holds."""

    def step() -> Any:
        publish()
        ros.spin_for(0.05)
        return until()

    return ros.spin_until(step)


def test_observation_of_three_views(ros: Any, robot: FakeRobot) -> None:
    observations = ros.collect(Observation, 'observation')
    message = repeat(ros, robot.publish_all, lambda: observations)[-1]
    assert message.header.frame_id == 'base'
    assert message.views == list(default_layout().views)
    stacked = image_to_rgb(message.image).reshape(3, 12, 20, 3)
    for view, rgb in zip(message.views, stacked, strict=True):
        assert (view, (rgb[:, BLACK:] == COLOURS[view]).all()) == (view, True)
        assert not rgb[:, :BLACK].any()
    seen = observation_from_message(message, LAYOUT)
    position, _ = flange_pose(torch.tensor(HOME, dtype=torch.float64))
    np.testing.assert_allclose(seen.position, position, atol=1e-12)
    np.testing.assert_allclose(seen.q, HOME)
    assert seen.closedness == pytest.approx(0.25)
    # The joint state may arrive after the images; then the one before it is the nearest.
    assert message.skew_s < 1.0
    assert len(message.view_stamps) == 3


def test_joints_are_matched_by_name(ros: Any, robot: FakeRobot) -> None:
    observations = ros.collect(Observation, 'observation')
    names = [f'fr3_joint{i}' for i in (7, 6, 5, 4, 3, 2, 1)] + ['fr3_finger_joint1']
    reversed_q = [*reversed(HOME), 0.04]
    message = repeat(
        ros,
        lambda: robot.publish_all(q=reversed_q, dq=[0.0] * 8, names=names),
        lambda: observations,
    )[-1]
    assert list(message.joint_positions) == pytest.approx(HOME)


BAD_INPUTS: dict[str, tuple[Callable[[FakeRobot], None], str]] = {
    'missing camera': (
        lambda robot: robot.publish_all(views=('left', 'right')),
        'no image yet of: wrist',
    ),
    'wrong encoding': (
        lambda robot: (robot.publish_all(), robot.publish_image('left', encoding='yuv444')),
        "left: encoding 'yuv444'",
    ),
    'wrong size': (
        lambda robot: (robot.publish_all(), robot.publish_image('right', height=13)),
        'right: 720 bytes of data',
    ),
    'no picture': (
        lambda robot: (robot.publish_all(), robot.cameras['left'].publish(b'\0\1\0\0nothing')),
        'left: 11 bytes are no serialised image',
    ),
    'covered lens': (
        lambda robot: (robot.publish_all(), robot.publish_image('wrist', data=bytes(720))),
        "view 'wrist' shows nothing: its levels differ by 0.0 only",
    ),
    'NaN joint': (
        lambda robot: robot.publish_all(q=[*HOME[:3], math.nan, *HOME[4:]]),
        'position of fr3_joint4 is nan',
    ),
    'no velocities': (lambda robot: robot.publish_all(dq=[]), '0 values of velocity'),
    'missing joint': (
        lambda robot: robot.publish_all(
            q=HOME[:6], dq=[0.0] * 6, names=[f'fr3_joint{i}' for i in range(1, 7)]
        ),
        'lacks fr3_joint7',
    ),
    'degrees': (
        lambda robot: robot.publish_all(q=np.degrees(HOME)),
        'rad (are these degrees?)',
    ),
    'fingers in mm': (
        lambda robot: (robot.publish_all(), robot.publish_gripper(closedness=-1000.0)),
        'far beyond its ends 0.04 (open) and 0 (closed)',
    ),
    'other robot': (
        lambda robot: robot.publish_all(names=[f'panda_joint{i}' for i in range(1, 8)]),
        'lacks fr3_joint1',
    ),
}


@pytest.mark.parametrize('case', BAD_INPUTS)
@pytest.mark.fault(
    'camera_stamp', 'camera_dark', 'camera_size', 'hand_state', 'joints_impossible'
)
def test_bad_input_is_named_and_survived(
    ros: Any, robot: FakeRobot, stitcher: Stitcher, case: str
) -> None:
    publish, says = BAD_INPUTS[case]
    observations = ros.collect(Observation, 'observation')
    repeat(ros, lambda: publish(robot), lambda: says in stitcher.problem())
    if case not in ('wrong encoding', 'wrong size', 'no picture'):
        assert not observations
    observations.clear()
    repeat(ros, robot.publish_all, lambda: observations)
    assert stitcher.problem() == ''


def hand_state(stitcher: Stitcher, stamp_s: float) -> JointState:
    gripper = stitcher.parameters.model.gripper
    half = 0.5 * (gripper.open_position + gripper.closed_position)
    message = JointState(name=list(gripper.joints), position=[half] * len(gripper.joints))
    message.header.stamp = stamp(stamp_s)
    return message


def test_arm_and_hand_may_share_a_topic(stitcher: Stitcher) -> None:
    arm = JointState(name=list(stitcher.parameters.model.joint_names), position=list(HOME))
    stitcher._on_gripper(arm)  # before and after the hand
    stitcher._on_gripper(hand_state(stitcher, 100.0))
    stitcher._on_gripper(arm)
    assert stitcher._problems == {}
    assert stitcher._gripper is not None


def test_an_arm_whose_hand_is_never_heard_hears_what_to_do(stitcher: Stitcher) -> None:
    with pytest.raises(ObservationError, match=r'gripper_states.*robot file with `joints: \[\]`'):
        stitcher._closedness(104.0)


@pytest.mark.parametrize(
    ('stamp_s', 'now_s', 'says'),
    [
        (104.0, 104.0, ''),
        (3704.0, 104.0, 'in the future: are the clocks set'),
        (98.0, 104.0, '6.000 s old'),
        (104.0, 106.0, '6.000 s old'),  # its clock is ahead, and it fell silent at 100
    ],
    ids=['fresh', 'clock an hour ahead', 'old stamp', 'silent'],
)
@pytest.mark.fault('hand_state')
def test_the_hand_is_judged_by_stamp_and_by_arrival(
    stitcher: Stitcher, monkeypatch: pytest.MonkeyPatch, stamp_s: float, now_s: float, says: str
) -> None:
    monkeypatch.setattr(Stitcher, 'now_s', property(lambda self: 100.0))
    stitcher._on_gripper(hand_state(stitcher, stamp_s))
    monkeypatch.setattr(Stitcher, 'now_s', property(lambda self: now_s))
    if not says:
        assert stitcher._closedness(104.0) == pytest.approx(0.5)
        return
    with pytest.raises(ObservationError, match=says):
        stitcher._closedness(104.0)


@pytest.mark.fault('camera_stops')
def test_silence_is_an_error_in_diagnostics(
    ros: Any, robot: FakeRobot, stitcher: Stitcher
) -> None:
    arrays = ros.collect(DiagnosticArray, '/diagnostics')

    def wrist_missing() -> DiagnosticStatus | None:
        robot.publish_all(views=('left', 'right'))
        stitcher.diagnostics.publish()
        status = arrays[-1].status[0] if arrays else None
        return status if status and 'wrist' in status.message else None

    status = ros.spin_until(wrist_missing)
    assert status.level == DiagnosticStatus.ERROR
    assert status.name == 'stitcher: observation'
    values = {entry.key: entry.value for entry in status.values}
    assert values['observations'] == '0'
    assert {'left_hz', 'joint_states_hz', 'latency_p50_s', 'age_s'} <= values.keys()


def test_rate_is_limited(ros: Any) -> None:
    node = ros.add(
        Stitcher(
            parameter_overrides=[
                Parameter('publish_rate_hz', value=5.0),
                Parameter('max_age_s', value=10.0),
            ]
        )
    )
    robot = FakeRobot(ros.node)
    ros.connect(*robot.publishers)
    observations = ros.collect(Observation, 'observation')
    start_s = seconds(robot.now())
    for frame in range(25):
        robot.publish_all(stamp=stamp(start_s + 0.04 * frame))
        ros.spin_for(0.04)
    ros.spin_until(lambda: seconds(observations[-1].header.stamp) >= start_s + 0.75)
    stamps = [seconds(observation.header.stamp) for observation in observations]
    # 25 frames within a second become 5 observations, at least three quarters of 0.2 s apart.
    assert len(stamps) <= 6
    assert np.diff(stamps).min() > 0.15 - 1e-6
    assert node.problem() == ''


def test_of_fast_cameras_few_pictures_are_read(ros: Any) -> None:
    parameters = [
        Parameter('publish_rate_hz', value=2.0), Parameter('max_age_s', value=10.0),
        Parameter('max_joint_gap_s', value=1.0),
    ]  # fmt: skip
    node = ros.add(Stitcher(parameter_overrides=parameters))
    robot = FakeRobot(ros.node)
    ros.connect(*robot.publishers)
    observations = ros.collect(Observation, 'observation')
    sent = 0

    def step() -> bool:
        nonlocal sent
        robot.publish_all()
        sent += 1
        ros.spin_for(0.01)
        return len(observations) >= 4

    ros.spin_until(step)
    if sent < 20:
        pytest.skip('the machine is too busy to send fast')
    assert node._rates['left'].count < sent / 2
    assert node.problem() == ''


@pytest.mark.fault('parameter')
def test_impossible_parameter(ros: Any) -> None:
    unknown = [Parameter('robot', value='fr4_hand')]
    with pytest.raises(ConfigError, match="no file 'fr4_hand' in config/robots"):
        Stitcher(parameter_overrides=unknown)


@pytest.mark.parametrize('views', [('wrist',), ('left', 'right', 'wrist', 'top')], ids=len)
def test_observations_of_one_and_of_four_views(
    ros: Any, tmp_path: Path, views: tuple[str, ...]
) -> None:
    values = {
        'cameras': str(write_layout(tmp_path, views)), 'max_age_s': 5.0, 'max_joint_gap_s': 1.0
    }  # fmt: skip
    ros.add(Stitcher(parameter_overrides=[Parameter(k, value=v) for k, v in values.items()]))
    robot = FakeRobot(ros.node, views)
    ros.connect(*robot.publishers)
    observations = ros.collect(Observation, 'observation')
    message = repeat(ros, lambda: robot.publish_all(views), lambda: observations)[-1]
    assert list(message.views) == list(views)
    assert len(message.view_stamps) == len(views)
    stacked = image_to_rgb(message.image).reshape(len(views), 12, 20, 3)
    for view, rgb in zip(views, stacked, strict=True):
        assert (view, (rgb[:, BLACK:] == COLOURS[view]).all()) == (view, True)


def test_a_compressed_picture_is_decoded(ros: Any, tmp_path: Path) -> None:
    values = {
        'cameras': str(write_layout(tmp_path, ['left'])), 'max_age_s': 5.0, 'max_joint_gap_s': 1.0
    }  # fmt: skip
    node = ros.add(
        Stitcher(
            parameter_overrides=[Parameter(k, value=v) for k, v in values.items()],
            cli_args=['--ros-args', '-r', 'left/image_raw:=camera/image_raw/compressed'],
        )
    )
    robot = FakeRobot(ros.node, ())
    camera = ros.node.create_publisher(CompressedImage, 'camera/image_raw/compressed', 10)
    ros.connect(camera, *robot.publishers)
    observations = ros.collect(Observation, 'observation')
    pixels = np.zeros((12, 20, 3), np.uint8)
    pixels[:, 10:] = COLOURS['left']

    def publish() -> None:
        robot.publish_all(())
        message = CompressedImage(format='png', data=cv2.imencode('.png', pixels)[1].tobytes())
        message.header.stamp = robot.now()
        camera.publish(message)

    message = repeat(ros, publish, lambda: observations)[-1]
    np.testing.assert_array_equal(image_to_rgb(message.image), pixels[..., ::-1])
    camera.publish(CompressedImage(format='jpeg', data=b'no picture'))
    ros.spin_until(lambda: 'no jpeg or png' in node.problem())


@pytest.mark.parametrize('check_views', [False, True])
@pytest.mark.fault('camera_noise')
def test_noise_is_looked_for_in_whole_pictures(
    ros: Any, tmp_path: Path, check_views: bool
) -> None:
    values = {'cameras': str(write_layout(tmp_path, ['left'])), 'check_views': check_views}
    node = ros.add(
        Stitcher(
            parameter_overrides=[Parameter(name, value=v) for name, v in values.items()],
            cli_args=['--ros-args', '-r', 'left/image_raw:=left/compressed'],
        )
    )
    pixels = np.random.default_rng(0).integers(0, 256, (48, 80, 3), np.uint8)
    message = CompressedImage(format='jpeg', data=cv2.imencode('.jpg', pixels)[1].tobytes())
    node._on_image('left', message)
    seen = node._synchroniser._seen['left'][-1][1]
    assert seen.shape == ((48, 80, 3) if check_views else (12, 20, 3))


def info_message(*, width: int = 24, focal: float = 20.0) -> CameraInfo:
    """A lens whose axis is a pixel off the middle, of the pictures of `FakeRobot`."""
    k = [focal, 0.0, 11.5, 0.0, focal, 6.5, 0.0, 0.0, 1.0]
    return CameraInfo(width=width, height=14, distortion_model='plumb_bob', d=[0.0] * 5, k=k)


def test_a_lens_comes_from_camera_info(ros: Any, tmp_path: Path) -> None:
    layout = write_layout(tmp_path, ['left'])
    layout.write_text(
        layout.read_text() + 'lenses: {left: camera_info}\nfocal: {left: [1.0, 1.667]}\n'
    )
    values = {'cameras': str(layout), 'max_age_s': 5.0, 'max_joint_gap_s': 1.0}
    node = ros.add(
        Stitcher(parameter_overrides=[Parameter(name, value=v) for name, v in values.items()])
    )
    robot = FakeRobot(ros.node, ())
    camera = ros.node.create_publisher(Image, 'left/image_raw', 10)
    driver = ros.node.create_publisher(CameraInfo, 'left/camera_info', 10)
    ros.connect(camera, driver, *robot.publishers)
    observations = ros.collect(Observation, 'observation')
    pixels = np.random.default_rng(0).integers(0, 256, (14, 24, 3), np.uint8)

    def publish(info: CameraInfo | None) -> None:
        robot.publish_all(())
        camera.publish(to_image(pixels, robot.now()))
        if info is not None:
            driver.publish(info)

    for info, says in (
        (None, 'no camera_info yet on /left/camera_info'),
        (info_message(focal=0.0), 'camera is not calibrated'),
        (info_message(width=48, focal=40.0), 'another resolution'),
        (info_message(focal=40.0), 'does not show'),
    ):
        repeat(ros, partial(publish, info), lambda says=says: says in node.problem())
    assert not observations
    message = repeat(ros, partial(publish, info_message()), lambda: observations)[-1]
    # The ideal camera's picture: cut out of the lens's around its axis.
    np.testing.assert_allclose(image_to_rgb(message.image), pixels[1:13, 2:22], atol=1)
    assert node.problem() == ''


@pytest.mark.parametrize(
    ('name', 'prefix', 'first'),
    [
        ('fr3_robotiq', 'left', 'left_fr3_joint1'), ('fr3_robotiq', '', 'fr3_joint1'),
        ('fer_hand', '', 'panda_joint1'), ('fer_hand', 'arm', 'arm_panda_joint1'),
    ],
)  # fmt: skip
def test_the_robot_decides_whose_joints_are_read(
    ros: Any, tmp_path: Path, name: str, prefix: str, first: str
) -> None:
    model = load_robot(name, prefix)
    values = {
        'cameras': str(write_layout(tmp_path, default_layout().views)), 'robot': name,
        'joint_prefix': prefix, 'max_age_s': 5.0, 'max_joint_gap_s': 1.0,
    }  # fmt: skip
    ros.add(Stitcher(parameter_overrides=[Parameter(k, value=v) for k, v in values.items()]))
    robot = FakeRobot(ros.node, model=model)
    ros.connect(*robot.publishers)
    observations = ros.collect(Observation, 'observation')
    message = repeat(ros, robot.publish_all, lambda: observations)[-1]
    assert tuple(message.joint_names) == model.joint_names
    assert message.joint_names[0] == first
    assert message.gripper_closedness == pytest.approx(0.25)


def test_an_arm_without_a_hand_counts_as_open(ros: Any, tmp_path: Path) -> None:
    text = packaged('robots', 'fr3_hand').read_text()
    bare = tmp_path / 'bare.yaml'
    bare.write_text(
        text.replace('joints: [fr3_finger_joint1, fr3_finger_joint2]', 'joints: []').replace(
            'interface: franka_hand', 'interface: none'
        )
    )
    values = {
        'cameras': str(write_layout(tmp_path, default_layout().views)), 'robot': str(bare),
        'max_age_s': 5.0, 'max_joint_gap_s': 1.0,
    }  # fmt: skip
    overrides = [Parameter(name, value=value) for name, value in values.items()]
    stitcher = ros.add(Stitcher(parameter_overrides=overrides))
    robot = FakeRobot(ros.node)
    ros.connect(*robot.publishers[:-1])
    observations = ros.collect(Observation, 'observation')

    def publish_arm() -> None:
        now = robot.now()
        robot.publish_joints(stamp=now)
        for view in COLOURS.keys() & robot.cameras.keys():
            robot.publish_image(view, now)

    message = repeat(ros, publish_arm, lambda: observations)[-1]
    assert message.gripper_closedness == 0.0
    assert stitcher.problem() == ''


@pytest.mark.fault('camera_frozen')
def test_frozen_pictures_are_refused_until_somebody_accepts_them(
    ros: Any, tmp_path: Path
) -> None:
    values = {
        'cameras': str(write_layout(tmp_path, default_layout().views)), 'check_views': True,
        'publish_rate_hz': 120.0, 'max_age_s': 5.0, 'max_joint_gap_s': 1.0, 'min_contrast': 0.0,
    }  # fmt: skip
    node = ros.add(
        Stitcher(parameter_overrides=[Parameter(name, value=v) for name, v in values.items()])
    )
    robot = FakeRobot(ros.node)
    received = ros.collect(Observation, 'observation')
    statuses = ros.collect(DiagnosticArray, '/diagnostics')
    ros.connect(*robot.publishers)

    def doubt() -> str:
        return {pair.key: pair.value for pair in statuses[-1].status[0].values}[DOUBT]

    def show(q: Any, until: Callable[[], Any]) -> None:
        for _ in range(200):
            robot.publish_all(q=q)
            ros.spin_for(0.05)
            if until():
                return
        raise AssertionError(node.problem())

    show(HOME, lambda: received)
    there = [HOME[0] + 0.3, *HOME[1:]]
    show(there, lambda: 'is frozen' in node.problem())
    show(there, lambda: 'is frozen' in doubt())
    assert statuses[-1].status[0].level == DiagnosticStatus.ERROR
    assert ros.call(Trigger, 'stitcher/accept_views', Trigger.Request()).success
    count = len(received)
    show(there, lambda: len(received) > count)
    show(there, lambda: doubt() == '')
    assert node.problem() == ''
