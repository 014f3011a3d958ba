# SPDX-License-Identifier: Apache-2.0
"""Makes the cell's parameters those of its node."""

from __future__ import annotations

import difflib
from dataclasses import Field, fields
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node

from vidplan_sim.parameters import CellParameters


def declare_parameters(node: Node) -> CellParameters:
    """Declare all parameters and return their values; warn of overrides that nobody reads.

    Raises:
        rclpy.exceptions.ParameterException: a value of the wrong type or outside its range.
    """
    values = {one.name: _declare(node, one) for one in fields(CellParameters)}
    for name in node._parameter_overrides:
        if not node.has_parameter(name):  # a file may speak to other nodes, too
            near = difflib.get_close_matches(name, list(values), n=1, cutoff=0.0)[0]
            node.get_logger().warning(f"no parameter '{name}' here; did you mean '{near}'?")
    return CellParameters(**values)


def _declare(node: Node, one: Field[Any]) -> Any:
    limits = one.metadata
    unit = f' [{limits["unit"]}]' if 'unit' in limits else ''
    descriptor = ParameterDescriptor(
        description=limits['text'] + unit, read_only=not limits.get('mutable', False)
    )
    if isinstance(one.default, float):
        descriptor.floating_point_range = [
            FloatingPointRange(from_value=limits['low'], to_value=limits['high'])
        ]
    elif 'low' in limits:
        descriptor.integer_range = [
            IntegerRange(from_value=limits['low'], to_value=limits['high'], step=1)
        ]
    return node.declare_parameter(one.name, one.default, descriptor).value
