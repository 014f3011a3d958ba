# SPDX-License-Identifier: Apache-2.0
"""`vidplan evaluate`: the planner against the simulator in lock-step, without ROS."""

from __future__ import annotations

from vidplan.cli.evaluate.command import add_parser, run

__all__ = ['add_parser', 'run']
