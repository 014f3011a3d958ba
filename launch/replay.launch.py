# SPDX-License-Identifier: Apache-2.0
"""Play a recorded bag into the graph; the adapter plans and checks but sends nothing to a robot.

    ros2 launch vidplan replay.launch.py bag:=outputs/bags/2026-01-31_12-00-00 wait_for_goal:=true

It plays when the models are loaded and, with `wait_for_goal`, a goal has come:
`vidplan goal "move to the carrot"` then shows what the planner would have chosen.
"""

from __future__ import annotations

from launch import LaunchDescription
from vidplan.bringup.graph import REPLAY
from vidplan.bringup.launching import describe


def generate_launch_description() -> LaunchDescription:
    """Return the bag player and the planning graph as launch actions."""
    return describe(REPLAY)
