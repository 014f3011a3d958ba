# SPDX-License-Identifier: Apache-2.0
"""Start stitcher, planning server and action adapter beside a robot that is already up.

    ros2 launch vidplan planning.launch.py joint_states:=/franka/joint_states
    ros2 launch vidplan planning.launch.py --show-args

Franka's own bringup is never started from here: it runs first, in a terminal of its own.
"""

from __future__ import annotations

from launch import LaunchDescription
from vidplan.bringup.graph import PLANNING
from vidplan.bringup.launching import describe


def generate_launch_description() -> LaunchDescription:
    """Return the processes of the graph table (vidplan/graph.py) as launch actions."""
    return describe(PLANNING)
