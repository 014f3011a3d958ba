# SPDX-License-Identifier: Apache-2.0
"""What the stitcher's process costs while large pictures come fast."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CompressedImage, Image, JointState

from vidplan.bringup.description import Graph
from vidplan.bringup.graph import PLANNING
from vidplan.bringup.process import ProcessGroup
from vidplan.parameters.stitcher import StitcherParameters
from vidplan.ros import qos
from vidplan.ros.images import to_image
from vidplan.trials.stand import NAMESPACE, START_S, TrialError
from vidplan_core.geometry.camera_files import default_layout
from vidplan_core.geometry.robot_files import default_robot
from vidplan_msgs.msg import Observation

# The stamp stands here in every serialised message that begins with a header, little-endian.
_STAMP = struct.Struct('<iI')
_STAMP_AT = 4
# The stitcher finds its pace for so long before anything is counted, s.
_SETTLE_S = 3.0
# Joint states come so often, Hz.
_STATES_HZ = 100.0


@dataclass(frozen=True)
class Load:
    """What the cameras send.

    Attributes:
        width, height: of the pictures, pixels.
        rate_hz: of each camera.
        jpeg: compressed ones.
        check_views: whether the stitcher looks whether it can believe them.
        observation_hz: largest rate of observations, Hz.
    """

    width: int = 1280
    height: int = 720
    rate_hz: float = 60.0
    jpeg: bool = False
    check_views: bool = False
    observation_hz: float = StitcherParameters.publish_rate_hz


class LoadedCameras(Node):
    """Three cameras of a size and rate, an arm and a hand that rest; counts observations.

    Pictures are serialised once, and only their stamps are new: so little is spent on this side.
    """

    def __init__(self, load: Load) -> None:
        super().__init__('loaded_cameras', namespace=NAMESPACE, start_parameter_services=False)
        self.sent = self.observed = 0
        kind = CompressedImage if load.jpeg else Image
        self._cameras = [
            (
                self.create_publisher(kind, topic_of(view, load), qos.SENSOR),
                bytearray(serialize_message(_picture(load, number))),
            )
            for number, view in enumerate(default_layout().views)
        ]
        self._states = [
            (self.create_publisher(JointState, topic, qos.STATES), message)
            for topic, message in _resting()
        ]
        self.create_subscription(Observation, 'observation', self._on_observation, 5)
        self.create_timer(1.0 / load.rate_hz, self._send)
        self.create_timer(1.0 / _STATES_HZ, self._say)

    def _on_observation(self, _: Observation) -> None:
        self.observed += 1

    def _send(self) -> None:
        now = self.get_clock().now().to_msg()
        for publisher, data in self._cameras:
            _STAMP.pack_into(data, _STAMP_AT, now.sec, now.nanosec)
            publisher.publish(bytes(data))
        self.sent += 1

    def _say(self) -> None:
        now = self.get_clock().now().to_msg()
        for publisher, message in self._states:
            message.header.stamp = now
            publisher.publish(message)


def topic_of(view: str, load: Load) -> str:
    """Return where pictures of a view are sent."""
    return f'{view}/image_raw/compressed' if load.jpeg else f'{view}/image_raw'


def _picture(load: Load, number: int) -> Image | CompressedImage:
    """Return a picture of coarse patches, as scenes are."""
    random = np.random.default_rng(number)
    small = random.integers(0, 256, (load.height // 40, load.width // 40, 3), np.uint8)
    pixels = np.asarray(cv2.resize(small, (load.width, load.height)), np.uint8)
    if load.jpeg:
        data = cv2.imencode('.jpg', pixels)[1].tobytes()
        return CompressedImage(format='rgb8; jpeg compressed bgr8', data=data)
    return to_image(pixels)


def _resting() -> list[tuple[str, JointState]]:
    robot = default_robot()
    hand = robot.gripper
    arm = JointState(name=list(robot.joint_names), position=list(robot.home), velocity=[0.0] * 7)
    fingers = [hand.open_position] * len(hand.joints)
    return [
        ('joint_states', arm),
        ('gripper/joint_states', JointState(name=list(hand.joints), position=fingers)),
    ]


def measure_load(
    load: Load, duration_s: float, on_line: Callable[[str, str], None]
) -> dict[str, Any]:
    """Run the stitcher as a process of its own under a load; rclpy must be initialised.

    Args:
        load: what the cameras send.
        duration_s: for how long it is measured, s.
        on_line: hears what the process says.

    Returns:
        Shares of a core, and rates, Hz, as they were.

    Raises:
        TrialError: no observation comes.
    """
    executor = SingleThreadedExecutor()
    cameras = LoadedCameras(load)
    executor.add_node(cameras)

    def spin(until: Callable[[], bool], most_s: float) -> bool:
        end_s = time.monotonic() + most_s
        while not until() and time.monotonic() < end_s:
            executor.spin_once(timeout_sec=0.01)
        return until()

    try:
        with _stitcher(load, on_line) as group:
            pid = group.children[0].pid
            if not spin(lambda: cameras.observed > 0, START_S):
                raise TrialError('the stitcher publishes nothing; --verbose shows what it says')
            spin(lambda: False, _SETTLE_S)
            before = _moment(pid, cameras)
            spin(lambda: False, duration_s)
            after = _moment(pid, cameras)
    finally:
        executor.shutdown()
        cameras.destroy_node()
    cpu_s, passed_s, sent, observed = (b - a for a, b in zip(before, after, strict=True))
    return {
        'core_share': cpu_s / passed_s,
        'camera_hz': sent / passed_s,
        'observation_hz': observed / passed_s,
        'duration_s': passed_s,
        'load_of_machine': os.getloadavg()[0],
    }


def _moment(pid: int, cameras: LoadedCameras) -> tuple[float, float, int, int]:
    """Return the processor time of a process and the time now, s, and what was sent and came."""
    fields = Path(f'/proc/{pid}/stat').read_text(encoding='utf-8').rpartition(')')[2].split()
    ticks = int(fields[11]) + int(fields[12])
    cpu_s = ticks / os.sysconf('SC_CLK_TCK')
    return cpu_s, time.monotonic(), cameras.sent, cameras.observed


def _stitcher(load: Load, on_line: Callable[[str, str], None]) -> ProcessGroup:
    process = next(one for one in PLANNING.processes if one.executable == 'stitcher')
    topics = tuple((f'{view}/image_raw', topic_of(view, load)) for view in default_layout().views)
    own = ('check_views', load.check_views), ('publish_rate_hz', load.observation_hz)
    process = replace(process, parameters=(*process.parameters, *own))
    if load.jpeg:
        kept = tuple(pair for pair in process.remappings if pair[0] not in dict(topics))
        process = replace(process, remappings=(*kept, *topics))
    graph = Graph('stitcher', PLANNING.description, PLANNING.arguments, (process,))
    return ProcessGroup(graph, graph.values({'namespace': NAMESPACE}), on_line)
