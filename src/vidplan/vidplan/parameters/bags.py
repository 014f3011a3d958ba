# SPDX-License-Identifier: Apache-2.0
"""Parameters of the nodes `recorder` and `player`."""

from __future__ import annotations

from dataclasses import dataclass

from vidplan.parameters.cameras import CameraParameters
from vidplan_core.geometry.robot_files import DEFAULT_ROBOT
from vidplan_core.knobs import knob


@dataclass(frozen=True)
class RecorderParameters(CameraParameters):
    """Where a recording goes."""

    directory: str = knob(
        'outputs/bags',
        'folder in which each recording makes a folder named by the time',
        section='The bag.',
    )
    bag: str = knob('', 'folder of this recording, which must not exist; overrides directory')
    split_mb: int = knob(
        2048,
        'size of a file from which on the recording goes on in the next one',
        unit='MB',
        low=1,
        high=1_000_000,
    )


@dataclass(frozen=True)
class PlayerParameters(CameraParameters):
    """What is played, and when."""

    bag: str = knob('', 'rosbag2 to play, a folder or a file; required', section='The bag.')
    map: str = knob(
        '', 'which topic is which camera, arm and gripper, YAML; empty: by names and types'
    )
    robot: str = knob(DEFAULT_ROBOT, 'that the graph expects: a file of config/robots, or a path')
    joint_prefix: str = knob('', 'before every joint name that the graph expects')
    rate: float = knob(1.0, 'bag seconds per real second', low=0.01, high=100.0)
    clock_rate_hz: float = knob(100.0, 'of /clock, in bag time', unit='Hz', low=1.0, high=1000.0)
    wait_for_models_s: float = knob(
        180.0,
        'longest wait for the models to be loaded before it begins; 0: none',
        unit='s',
        low=0.0,
        high=3600.0,
    )
    wait_for_goal: bool = knob(False, 'begin only when a goal has come too')
