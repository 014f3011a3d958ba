# SPDX-License-Identifier: Apache-2.0
"""Which topic of a recording is what: the file that `--map` takes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from vidplan_core.errors import ConfigError
from vidplan_core.geometry.limits import JointLimits
from vidplan_core.geometry.robot import RobotModel
from vidplan_core.geometry.robot_files import DEFAULT_ROBOT, load_robot
from vidplan_core.strict_yaml import Section, read_section

# Key of the metadata under which a bag may keep its own map.
MAP_KEY = 'vidplan_map'

RADIANS, DEGREES = 'rad', 'deg'
_JOINT_KEYS = ('topic', 'names', 'unit')
_GRIPPER_KEYS = ('topic', 'joints', 'open', 'closed')


@dataclass(frozen=True)
class JointSource:
    """Where the arm's joint states are.

    Attributes:
        topic: of sensor_msgs/JointState.
        names: of the arm's joints in its messages, base first.
        unit: of its angles, 'rad' or 'deg'.
    """

    topic: str
    names: tuple[str, ...]
    unit: str = RADIANS

    def __post_init__(self) -> None:
        if self.unit not in (RADIANS, DEGREES):
            raise ConfigError(f"unit must be 'rad' or 'deg', got {self.unit!r}")

    @property
    def radians(self) -> float:
        """Radians per unit."""
        return math.pi / 180.0 if self.unit == DEGREES else 1.0


@dataclass(frozen=True)
class GripperSource:
    """Where the gripper's state is.

    Attributes:
        topic: of sensor_msgs/JointState, or of std_msgs/Float64 or Float32 without joints.
        joints: whose mean position says how far it is closed; () for a topic of one number.
        open_position: of them when open, in the unit of the messages.
        closed_position: of them when closed.
    """

    topic: str
    joints: tuple[str, ...]
    open_position: float
    closed_position: float

    def __post_init__(self) -> None:
        if self.open_position == self.closed_position:
            raise ConfigError(f'open and closed must differ, both are {self.open_position}')


@dataclass(frozen=True)
class SensorMap:
    """Which topic is which camera, and where arm and gripper are.

    Attributes:
        cameras: topic by view.
        joints: of the arm.
        gripper: None where there is none; it counts as open.
        robot: name of a file of config/robots, or a path.
    """

    cameras: Mapping[str, str]
    joints: JointSource
    gripper: GripperSource | None
    robot: str = DEFAULT_ROBOT

    def model(self) -> RobotModel:
        """Return the robot, its joints named as in the recording.

        Raises:
            ConfigError: no such robot, or one with another number of joints.
        """
        robot = load_robot(self.robot)
        if len(robot.joint_names) != len(self.joints.names):
            raise ConfigError(
                f'the robot {self.robot} has {len(robot.joint_names)} joints, the map names '
                f'{len(self.joints.names)}'
            )
        limits, hard = (_renamed(one, self.joints.names) for one in _limits(robot))
        return replace(robot, limits=limits, hard_limits=hard)

    def text(self) -> str:
        """Return the map as a file for `--map`."""
        cameras = '\n'.join(f'  {view}: {topic}' for view, topic in self.cameras.items())
        lines = [
            f'robot: {self.robot}  # a file of config/robots, or a path',
            'cameras:',
            cameras,
            'joints:',
            f'  topic: {self.joints.topic}',
            f'  names: [{", ".join(self.joints.names)}]  # base first',
            f'  unit: {self.joints.unit}  # {RADIANS} or {DEGREES}',
            *self._gripper_lines(),
        ]
        return '\n'.join(lines) + '\n'

    def _gripper_lines(self) -> list[str]:
        if self.gripper is None:
            return ['gripper: none  # it counts as open']
        return [
            'gripper:',
            f'  topic: {self.gripper.topic}',
            f'  joints: [{", ".join(self.gripper.joints)}]  # [] for a topic of one number',
            f'  open: {self.gripper.open_position}  # position when open',
            f'  closed: {self.gripper.closed_position}  # position when closed',
        ]


def read_sensor_map(path: Path) -> SensorMap:
    """Return what a file for `--map` says.

    Raises:
        ConfigError: it cannot be read; names the file and the key.
    """
    return parse_sensor_map(read_section(path))


def parse_sensor_map(file: Section) -> SensorMap:
    """Return what a mapping says; errors are those of `read_sensor_map`."""
    file.require_only(('robot', 'cameras', 'joints', 'gripper'))
    cameras = file.section('cameras')
    joints = file.section('joints')
    joints.require_only(_JOINT_KEYS)
    with joints.naming():
        unit = joints.text('unit') if 'unit' in joints else RADIANS
        source = JointSource(joints.text('topic'), joints.texts('names'), unit)
    return SensorMap(
        {view: cameras.text(view) for view in cameras.keys},
        source,
        _gripper(file),
        file.text('robot') if 'robot' in file else DEFAULT_ROBOT,
    )


def _gripper(file: Section) -> GripperSource | None:
    if file.values.get('gripper') in ('none', None):
        return None
    section = file.section('gripper')
    section.require_only(_GRIPPER_KEYS)
    joints = section.texts('joints') if section.values.get('joints') else ()
    ends = section.number('open'), section.number('closed')
    with section.naming():
        return GripperSource(section.text('topic'), joints, *ends)


def _limits(robot: RobotModel) -> tuple[JointLimits, JointLimits]:
    return robot.limits, robot.hard_limits


def _renamed(limits: JointLimits, names: tuple[str, ...]) -> JointLimits:
    return replace(limits, names=names)
