# SPDX-License-Identifier: Apache-2.0
"""Parameters of the nodes `recorder` and `player`."""

from __future__ import annotations

from dataclasses import dataclass

from vidplan.parameters.cameras import CameraParameters
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


@dataclass(frozen=True)
class PlayerParameters(CameraParameters):
    """What is played, and when."""

    bag: str = knob('', 'folder of the rosbag2 to play; required', section='The bag.')
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
