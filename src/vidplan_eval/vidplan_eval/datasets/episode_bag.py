# SPDX-License-Identifier: Apache-2.0
"""Turn a recorded episode of a data set into a bag that replays like a recording of a robot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from vidplan_core.geometry.robot import RobotModel
from vidplan_core.geometry.robot_files import load_robot
from vidplan_core.geometry.se3 import euler_xyz_to_matrix, matrix_to_quaternion
from vidplan_eval.bags.bag_types import typestore
from vidplan_eval.bags.recording import FLANGE, GOAL, GRIPPER, JOINTS, RESULT, cameras
from vidplan_eval.bags.sensor_map import MAP_KEY, GripperSource, JointSource, SensorMap
from vidplan_eval.bags.writer import BagTopic, BagWriter
from vidplan_eval.datasets.episode import Joints, RecordedEpisode
from vidplan_eval.datasets.errors import MISSING_COLUMN, NO_PICTURES, EpisodeError

# DROID's arm is a Panda.
ROBOT = 'fer_hand'
# Bags begin at a time that no reader takes for "not set", s.
START_S = 1.0
TYPES = {
    JOINTS: 'sensor_msgs/msg/JointState',
    GRIPPER: 'sensor_msgs/msg/JointState',
    FLANGE: 'geometry_msgs/msg/PoseStamped',
    GOAL: 'vidplan_msgs/action/PlanTask_Goal',
    RESULT: 'vidplan_msgs/action/PlanTask_Result',
}
_IMAGE = 'sensor_msgs/msg/Image'


class Outgoing(NamedTuple):
    """A message to be written: when, s, in which role, and what."""

    time_s: float
    role: str
    message: Any


def write_episode_bag(
    episode: RecordedEpisode, views: tuple[str, ...], path: Path, robot_name: str = ROBOT
) -> Path:
    """Write one episode as a bag and return its folder.

    Pictures come at the episode's frame rate, states at that of its recording; the recorded
    flange poses are kept beside the joints.

    Args:
        episode: with pictures and joints.
        views: of its pictures, in their order.
        path: of the new folder.
        robot_name: file of config/robots, whose joint names are written.

    Raises:
        EpisodeError: no pictures, or no joint positions.
        BagError: the folder exists.
    """
    if episode.pictures is None:
        raise EpisodeError(episode.id, NO_PICTURES, episode.file, 'a bag needs pictures')
    if episode.joints is None:
        raise EpisodeError(episode.id, MISSING_COLUMN, episode.file, 'a bag needs joint positions')
    robot = load_robot(robot_name)
    messages = _Messages(robot)
    sensors = _map(views, robot, robot_name)
    kinds = {role: _IMAGE for role in cameras(views)} | TYPES
    topics = [BagTopic(role, f'/{role}', kind) for role, kind in kinds.items()]
    rows = _rows(episode, episode.joints(), views, messages)
    with BagWriter(path, topics, notes={MAP_KEY: sensors.text()}) as writer:
        for row in rows:
            data = messages.store.serialize_cdr(row.message, kinds[row.role])
            writer.write(row.role, round(row.time_s * 1e9), bytes(data))
    return path


def _rows(
    episode: RecordedEpisode, joints: Joints, views: tuple[str, ...], messages: _Messages
) -> Iterator[Outgoing]:
    """Pictures and states in order of time; pictures are read one after the other."""
    assert episode.pictures is not None
    yield Outgoing(START_S, GOAL, messages.goal(episode.text))
    states = _states(joints, messages)
    waiting = next(states, None)
    end_s = START_S
    for frame, pictures in enumerate(episode.pictures()):
        end_s = START_S + frame * episode.frame_period_s
        while waiting is not None and waiting.time_s <= end_s + 1e-6:
            yield waiting
            waiting = next(states, None)
        for role, pixels in zip(cameras(views), pictures, strict=True):
            yield Outgoing(end_s, role, messages.image(end_s, pixels))
    while waiting is not None:
        end_s = waiting.time_s
        yield waiting
        waiting = next(states, None)
    if episode.success is not None:
        yield Outgoing(end_s, RESULT, messages.result(episode.success, end_s - START_S))


def _states(joints: Joints, messages: _Messages) -> Iterator[Outgoing]:
    velocity = np.gradient(joints.position, joints.period_s, axis=0)
    for step, (position, pose) in enumerate(zip(joints.position, joints.pose, strict=True)):
        time_s = START_S + step * joints.period_s
        yield Outgoing(time_s, JOINTS, messages.arm(time_s, position, velocity[step]))
        closed = float(joints.closedness[step])
        yield Outgoing(time_s, GRIPPER, messages.gripper(time_s, closed))
        yield Outgoing(time_s, FLANGE, messages.flange(time_s, pose))


def _map(views: tuple[str, ...], robot: RobotModel, name: str) -> SensorMap:
    hand = robot.gripper
    return SensorMap(
        {view: f'/{role}' for view, role in zip(views, cameras(views), strict=True)},
        JointSource(f'/{JOINTS}', robot.joint_names),
        GripperSource(f'/{GRIPPER}', hand.joints, hand.open_position, hand.closed_position),
        name,
    )


class _Messages:
    """Makes messages from arrays."""

    def __init__(self, robot: RobotModel) -> None:
        self.store = typestore()
        self._robot = robot

    def _new(self, kind: str, /, **fields: Any) -> Any:
        return self.store.types[kind](**fields)

    def _header(self, time_s: float, frame: str = '') -> Any:
        sec, nanosec = divmod(round(time_s * 1e9), 10**9)
        stamp = self._new('builtin_interfaces/msg/Time', sec=sec, nanosec=nanosec)
        return self._new('std_msgs/msg/Header', stamp=stamp, frame_id=frame)

    def image(self, time_s: float, pixels: np.ndarray) -> Any:
        """An rgb8 image of uint8 (height, width, 3)."""
        height, width = pixels.shape[:2]
        return self._new(
            _IMAGE, header=self._header(time_s), height=height, width=width, encoding='rgb8',
            is_bigendian=0, step=3 * width, data=np.ascontiguousarray(pixels).reshape(-1),
        )  # fmt: skip

    def _joint_state(
        self, time_s: float, names: tuple[str, ...], position: np.ndarray, velocity: np.ndarray
    ) -> Any:
        return self._new(
            TYPES[JOINTS], header=self._header(time_s), name=list(names),
            position=np.asarray(position, np.float64), velocity=np.asarray(velocity, np.float64),
            effort=np.zeros(0),
        )  # fmt: skip

    def arm(self, time_s: float, position: np.ndarray, velocity: np.ndarray) -> Any:
        """Joint states (7,) of the arm, rad and rad/s."""
        return self._joint_state(time_s, self._robot.joint_names, position, velocity)

    def gripper(self, time_s: float, closed: float) -> Any:
        """Joint states of the gripper at a closedness 0 .. 1."""
        hand = self._robot.gripper
        at = hand.open_position + closed * (hand.closed_position - hand.open_position)
        count = len(hand.joints)
        return self._joint_state(time_s, hand.joints, np.full(count, at), np.zeros(count))

    def flange(self, time_s: float, pose: np.ndarray) -> Any:
        """A pose x, y, z (m), roll, pitch, yaw (rad) of the flange in the base frame."""
        rotation = euler_xyz_to_matrix(torch.from_numpy(np.asarray(pose[3:], np.float64)))
        x, y, z, w = matrix_to_quaternion(rotation).tolist()
        point = self._new(
            'geometry_msgs/msg/Point', x=float(pose[0]), y=float(pose[1]), z=float(pose[2])
        )
        turned = self._new('geometry_msgs/msg/Quaternion', x=x, y=y, z=z, w=w)
        whole = self._new('geometry_msgs/msg/Pose', position=point, orientation=turned)
        return self._new(TYPES[FLANGE], header=self._header(time_s, 'base'), pose=whole)

    def goal(self, text: str) -> Any:
        """The episode's instruction."""
        return self._new(TYPES[GOAL], instruction=text, target='', time_limit_s=0.0)

    def result(self, success: bool, duration_s: float) -> Any:
        """How the episode ended."""
        return self._new(
            TYPES[RESULT], success=success, error_code=0, error_msg='', cycles=0, late_plans=0,
            duration_s=duration_s, final_score=0.0, target='',
        )  # fmt: skip
