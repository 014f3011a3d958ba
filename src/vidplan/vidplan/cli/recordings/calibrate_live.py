# SPDX-License-Identifier: Apache-2.0
"""`vidplan calibrate --live`: looks at a tag through the topics of a running robot."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import rclpy
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState

from vidplan.cli.recordings.calibrated import lens_of_call
from vidplan.cli.terminal import StatusLine
from vidplan.robots.joint_buffer import JointBuffer, JointSample
from vidplan.ros import qos
from vidplan.ros.camera_lenses import info_topic
from vidplan.ros.images import image_kind, image_to_rgb
from vidplan.ros.log_folder import log_folder
from vidplan_core.data.calibration.lens import Lens
from vidplan_core.data.calibration.looks import LookCollector
from vidplan_core.data.calibration.tag import Tag
from vidplan_core.data.readings import joint_values, seconds
from vidplan_core.errors import ConfigError, ObservationError
from vidplan_core.geometry.robot import RobotModel
from vidplan_core.geometry.robot_files import load_robot

Pixels = NDArray[np.uint8]
Array = NDArray[np.float64]

# How often the newest picture is looked at, s, and how far from it a joint state may be, s.
_PERIOD_S, _GAP_S = 0.2, 0.05
# Without a picture, a lens and joints for so long it ends, s: discovery takes some of it.
_SILENT_S = 10.0
# What is said of a picture that was no look.
_PASSED = {
    'moving': 'the arm moves',
    'same': 'this pose is known: go to another',
    'no tag': 'no such tag in view',
}


class LiveCamera(Node):
    """Hears one camera and the arm.

    Attributes:
        info: the newest camera_info, None before one came.
        info_topic: where it is heard.
    """

    def __init__(self, image_topic: str, joints_topic: str, robot: RobotModel) -> None:
        super().__init__('calibrate', start_parameter_services=False)
        self._image_topic = self.resolve_topic_name(image_topic)
        self._joints_topic = self.resolve_topic_name(joints_topic)
        self.info_topic = info_topic(self._image_topic)
        self.info: CameraInfo | None = None
        self._names = robot.joint_names
        self._picture: Any = None
        self._joints, self._wrong = JointBuffer(), ''
        kind = image_kind(self._image_topic)
        self.create_subscription(kind, self._image_topic, self._on_picture, qos.CAMERA)
        self.create_subscription(CameraInfo, self.info_topic, self._on_info, qos.CAMERA)
        self.create_subscription(JointState, self._joints_topic, self._on_joints, qos.SENSOR)

    def take(self) -> tuple[Pixels, Array]:
        """Return the newest picture, rgb (height, width, 3), and the joints (7,) then, rad.

        Raises:
            ObservationError: nothing new came, or what came cannot be used; says why.
        """
        picture, self._picture = self._picture, None
        if picture is None:
            raise ObservationError(f'no pictures come on {self._image_topic}; {self._reason()}')
        try:
            pixels = np.asarray(image_to_rgb(picture), np.uint8)
        except ObservationError as error:
            raise ObservationError(f'{self._image_topic}: {error}') from error
        if self._joints.newest is None:
            silent = 'no joint states come; name their topic by --joint-states'
            raise ObservationError(f'{self._joints_topic}: {self._wrong or silent}')
        try:
            joints, _ = self._joints.at(seconds(picture.header.stamp), _GAP_S)
        except ObservationError as error:
            raise ObservationError(f'{error}: are their clocks the same?') from error
        return pixels, joints.q

    def _reason(self) -> str:
        """Say why no pictures may come."""
        if self.count_publishers(self._image_topic):
            return (
                'somebody publishes there, so they may be lost: a driver with Fast DDS needs room '
                'for large ones in shared memory (docs/cameras.md)'
            )
        return f'{self._others()}. Is the driver running, and ROS_DOMAIN_ID the same?'

    def _others(self) -> str:
        """Say where pictures are published."""
        kinds = {f'sensor_msgs/msg/{kind.__name__}' for kind in (Image, CompressedImage)}
        known = self.get_topic_names_and_types()
        topics = [
            name for name, types in known
            if kinds & set(types) and self.count_publishers(name)
        ]  # fmt: skip
        return f'there are {", ".join(topics)}' if topics else 'there are none on any topic'

    def _on_picture(self, message: Any) -> None:
        self._picture = message

    def _on_info(self, message: CameraInfo) -> None:
        self.info = message

    def _on_joints(self, message: JointState) -> None:
        try:
            q = joint_values(message, self._names)
        except ObservationError as error:
            self._wrong = str(error)  # another device on this topic, if there are good ones
        else:
            self._joints.push(JointSample(seconds(message.header.stamp), q, np.zeros(len(q))))


def live_looks(args: argparse.Namespace, tag: Tag) -> tuple[LookCollector, Lens]:
    """Look until `--poses` looks are kept, or somebody presses Ctrl-C.

    Raises:
        ConfigError: no pictures, lens or joint states come, or such as cannot be used.
    """
    robot = load_robot(args.robot, args.joint_prefix)
    collector, lens = LookCollector(tag, robot), None
    with _node(args, robot) as camera, StatusLine() as status:
        status.say(f'0 of {args.poses} looks: waits for pictures; Ctrl-C ends')
        try:
            for pixels, q in _pictures(args, camera):
                lens = lens or _lens(args, pixels, camera.info)
                lens.require_size(pixels.shape[1], pixels.shape[0])
                words = _follow(collector, pixels, q)
                status.say(f'{len(collector.looks)} of {args.poses} looks: {words}')
                if len(collector.looks) >= args.poses:
                    break
        except KeyboardInterrupt:
            pass  # what there is may be enough
    return collector, lens or lens_of_call(args, None, None)


def _pictures(args: argparse.Namespace, camera: LiveCamera) -> Iterator[tuple[Pixels, Array]]:
    heard_s = time.monotonic()
    while True:
        end_s = time.monotonic() + _PERIOD_S
        while (left_s := end_s - time.monotonic()) > 0:
            rclpy.spin_once(camera, timeout_sec=left_s)
        try:
            found = camera.take()
            if camera.info is None and not (args.lens or args.focal):
                raise ObservationError(
                    f'no camera_info comes on {camera.info_topic}; give --lens YAML (of '
                    'camera_calibration), or --focal FX FY in widths and heights'
                )
        except ObservationError as error:
            if time.monotonic() - heard_s > _SILENT_S:
                raise ConfigError(str(error)) from error
            continue
        heard_s = time.monotonic()
        yield found


def _lens(args: argparse.Namespace, pixels: Pixels, info: Any) -> Lens:
    return lens_of_call(args, (pixels.shape[1], pixels.shape[0]), info)


def _follow(collector: LookCollector, pixels: Pixels, q: Array) -> str:
    """Take a picture, and return what became of it."""
    before = dict(collector.passed)
    collector.follow(pixels, q)
    for reason, count in collector.passed.items():
        if count > before.get(reason, 0):
            return _PASSED[reason]
    return 'seen; go to another pose, tilted otherwise'


@contextmanager
def _node(args: argparse.Namespace, robot: RobotModel) -> Iterator[LiveCamera]:
    log_folder()
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    camera = LiveCamera(args.image or f'{args.view}/image_raw', args.joint_states, robot)
    try:
        yield camera
    finally:
        camera.destroy_node()
        rclpy.try_shutdown()
