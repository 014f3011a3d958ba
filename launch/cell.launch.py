# SPDX-License-Identifier: Apache-2.0
"""Start the same graph against the simulated Franka cell, which is also the clock.

ros2 launch vidplan cell.launch.py seed:=1000007 objects:=4
"""

from __future__ import annotations

from launch import LaunchDescription
from vidplan.bringup.graph import CELL
from vidplan.bringup.launching import describe


def generate_launch_description() -> LaunchDescription:
    """Return the cell and the planning graph as launch actions."""
    return describe(CELL)
