# SPDX-License-Identifier: Apache-2.0
"""What all tests share: a ROS domain of their own and nodes that are always taken down."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

# Before rclpy starts: neither a robot on the network nor another test run may be talked to.
os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
os.environ['ROS_DOMAIN_ID'] = str(1 + os.getpid() % 100)
os.environ.setdefault('MUJOCO_GL', 'egl')


@pytest.fixture
def ros() -> Iterator[Any]:
    """Return a tests.ros_harness.Harness; skips where ROS or the messages are not built."""
    rclpy = pytest.importorskip('rclpy', reason='needs ROS 2')
    pytest.importorskip('vidplan_msgs.msg', reason='needs the built workspace')
    from tests.ros_harness import Harness

    rclpy.init()
    harness = Harness()
    yield harness
    harness.close()
    rclpy.try_shutdown()
