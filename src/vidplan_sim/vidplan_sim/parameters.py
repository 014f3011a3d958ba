# SPDX-License-Identifier: Apache-2.0
"""Parameters of the cell node, one dataclass field each: default, meaning, unit and range.

This package imports nothing else of ours. Whoever writes or checks parameter files finds here
the same plain metadata as in every other dataclass of knobs: `text`, `unit`, `low`, `high`,
`mutable`, `section`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from vidplan_sim.scene import MAX_OBJECTS


def _knob(default: Any, text: str, **limits: Any) -> Any:
    return field(default=default, metadata={'text': text, **limits})


@dataclass(frozen=True)
class CellParameters:
    """The scene, the cameras and the pace of time."""

    seed: int = _knob(
        1_000_000,
        'below 1000000 for training and tuning, from there up for evaluation',
        low=0,
        high=2**53,
        mutable=True,
        section='Scene. A change of these three takes effect at the next call of cell/reset.',
    )
    objects: int = _knob(
        0, 'objects beside the bowl; 0: the seed decides', low=0, high=MAX_OBJECTS, mutable=True
    )
    towel: bool = _knob(
        False,
        'a towel of cloth lies spread out, to be folded; up to 5 objects lie beside it',
        mutable=True,
    )
    image_height: int = _knob(
        192,
        'of each picture',
        unit='pixels',
        low=16,
        high=960,
        section='Cameras left, right and wrist: <view>/image_raw (rgb8) and <view>/camera_info.',
    )
    image_width: int = _knob(320, 'of each picture', unit='pixels', low=16, high=1280)
    camera_rate_hz: float = _knob(
        15.0,
        'of simulated time; pictures are dropped when the machine is busy',
        unit='Hz',
        low=0.5,
        high=60.0,
    )
    tick_s: float = _knob(
        0.008,
        'between joint states and between clock messages; whole physics steps of 4 ms are '
        'simulated',
        unit='s',
        low=0.004,
        high=0.1,
        section='Time.',
    )
    real_time_factor: float = _knob(
        1.0,
        'simulated seconds per real second; a busy machine may reach less; may be set at any time',
        low=0.01,
        high=1.0,
        mutable=True,
    )
    publish_truth: bool = _knob(True, 'cell/truth: where things really are, for evaluators only')
