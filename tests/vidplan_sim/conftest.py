# SPDX-License-Identifier: Apache-2.0
"""Lets the tests of nodes ask for `ros`, where ROS 2 is installed."""

from __future__ import annotations

import contextlib

with contextlib.suppress(ImportError):
    from tests.fakes.ros_harness import ros as ros
