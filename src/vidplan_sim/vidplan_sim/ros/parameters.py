# SPDX-License-Identifier: Apache-2.0
"""Parameters of the cell node: default, meaning and range of each."""

from __future__ import annotations

from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node

from vidplan_sim.scene import MAX_OBJECTS

# name: (default, description, lowest, highest, whether it may change while the node runs)
PARAMETERS: dict[str, tuple[Any, str, float | None, float | None, bool]] = {
    'seed': (
        1_000_000,
        'Seed of the scene; below 1000000 for training, from there up for evaluation. '
        'A change takes effect at the next call of cell/reset.',
        0,
        2**53,
        True,
    ),
    'objects': (
        0,
        f'Objects beside the bowl, 1 .. {MAX_OBJECTS}; 0: the seed decides. '
        'A change takes effect at the next call of cell/reset.',
        0,
        MAX_OBJECTS,
        True,
    ),
    'image_height': (192, 'Height of the camera images, pixels.', 16, 960, False),
    'image_width': (320, 'Width of the camera images, pixels.', 16, 1280, False),
    'camera_rate_hz': (15.0, 'Rate of each camera in simulated time, Hz.', 0.5, 60.0, False),
    'tick_s': (
        0.008,
        'Time between joint states, and between clock messages, s; whole physics steps '
        'of 4 ms are simulated.',
        0.004,
        0.1,
        False,
    ),
    'real_time_factor': (
        1.0,
        'Simulated seconds per real second; a busy machine may reach less.',
        0.01,
        1.0,
        False,
    ),
    'publish_truth': (
        True,
        'Publish where things really are on cell/truth, for evaluators.',
        None,
        None,
        False,
    ),
}


def declare_parameters(node: Node) -> dict[str, Any]:
    """Declare all parameters and return their values by name.

    Raises:
        rclpy.exceptions.ParameterException: a value of the wrong type or outside its range.
    """
    return {name: _declare(node, name, *row) for name, row in PARAMETERS.items()}


def _declare(
    node: Node,
    name: str,
    default: Any,
    description: str,
    low: float | None,
    high: float | None,
    mutable: bool,
) -> Any:
    descriptor = ParameterDescriptor(description=description, read_only=not mutable)
    if isinstance(default, float):
        descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    elif low is not None and high is not None:
        descriptor.integer_range = [IntegerRange(from_value=low, to_value=high, step=1)]
    return node.declare_parameter(name, default, descriptor).value
