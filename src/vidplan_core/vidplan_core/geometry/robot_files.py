# SPDX-License-Identifier: Apache-2.0
"""Robot models from `config/robots/*.yaml`, and the one that is meant when none is named."""

from __future__ import annotations

from functools import lru_cache
from typing import cast

import numpy as np

from vidplan_core.geometry.limits import JointLimits
from vidplan_core.geometry.robot import (
    ARM_INTERFACES,
    DhRow,
    GripperModel,
    RobotModel,
    ToolTransform,
)
from vidplan_core.strict_yaml import Section, packaged, read_section

DEFAULT_ROBOT = 'fr3_hand'

_KEYS = ('name', 'joints', 'chain', 'home', 'limits', 'hard_limits', 'tool', 'gripper')
_SHAPES = {'links': 8, 'fingers': 7, 'fingertips': 3}
_LIMITS = ('lower', 'upper', 'velocity', 'acceleration')
_OPTIONAL_LIMITS = ('jerk', 'braking', 'braking_offset')
_GRIPPER = (
    'kind', 'joints', 'open_position', 'closed_position', 'opening_m', 'interface', 'action',
)  # fmt: skip

Point = tuple[float, float, float]


@lru_cache(maxsize=1)
def default_robot() -> RobotModel:
    """Return the robot of the simulated cell, which is meant wherever no other is given."""
    return load_robot(DEFAULT_ROBOT)


def load_robot(name: str, prefix: str = '') -> RobotModel:
    """Return the robot of a shipped file's name, such as `fr3_hand`, or of a path.

    Args:
        name: of a file of config/robots, or the path of another.
        prefix: before every joint name, with an underscore.

    Raises:
        ConfigError: no such file, an unknown or missing key, a wrong size, a number that is not
            finite, or limits that contradict each other; names the file and the key.
    """
    file = read_section(packaged('robots', name))
    file.require_only((*_KEYS, *_SHAPES, 'arm'))
    joints = file.texts('joints')
    limits, hard_limits = (_limits(file.section(key), joints) for key in ('limits', 'hard_limits'))
    tool, gripper = _tool(file.section('tool')), _gripper(file.section('gripper'))
    called, home = file.text('name'), file.numbers('home', len(joints))
    chain = cast(tuple[DhRow, ...], file.rows('chain', 3))
    arm = file.text('arm') if 'arm' in file else ARM_INTERFACES[0]
    shapes = {key: file.rows(key, width) for key, width in _SHAPES.items()}
    with file.naming():
        robot = RobotModel(called, chain, limits, hard_limits, tool, home, gripper, arm, **shapes)
    return robot.with_prefix(prefix)


def _limits(section: Section, joints: tuple[str, ...]) -> JointLimits:
    section.require_only((*_LIMITS, *_OPTIONAL_LIMITS))
    given = (*_LIMITS, *(key for key in _OPTIONAL_LIMITS if key in section))
    values = {key: np.array(section.numbers(key, len(joints))) for key in given}
    with section.naming():
        return JointLimits(joints, **values)


def _tool(section: Section) -> ToolTransform:
    section.require_only(('position', 'rpy'))
    return ToolTransform(
        cast(Point, section.numbers('position', 3)), cast(Point, section.numbers('rpy', 3))
    )


def _gripper(section: Section) -> GripperModel:
    section.require_only(_GRIPPER)
    kind, interface = section.text('kind'), section.text('interface')
    joints = () if section.values.get('joints') == [] else section.texts('joints')
    ends = section.number('open_position'), section.number('closed_position')
    opening_m = section.number('opening_m')
    action = section.text('action') if 'action' in section else ''
    with section.naming():
        return GripperModel(kind, joints, *ends, opening_m, interface, action)
