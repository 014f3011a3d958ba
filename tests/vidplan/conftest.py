# SPDX-License-Identifier: Apache-2.0
"""Lets the tests of nodes ask for `ros` and for a `graph`, where ROS 2 is installed."""

from __future__ import annotations

import contextlib

with contextlib.suppress(ImportError):
    from tests.fakes.ros_harness import paced_ros as paced_ros
    from tests.fakes.ros_harness import ros as ros
    from tests.vidplan.planning_server.server_graph import graph as graph
