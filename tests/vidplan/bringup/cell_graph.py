# SPDX-License-Identifier: Apache-2.0
"""A launch test of launch/cell.launch.py; `test_launch_files.py` runs it, as does

python -m launch_testing.launch_test tests/vidplan/bringup/cell_graph.py
"""

from __future__ import annotations

import unittest
from pathlib import Path
from typing import Any

import launch_testing
import launch_testing.actions
import launch_testing.asserts
import rclpy
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

from launch import LaunchDescription
from tests.fakes.ros_harness import Harness
from tests.vidplan.bringup.graph_checks import FACTOR, check_running_graph

LAUNCH = Path(__file__).resolve().parents[3] / 'launch'


@launch_testing.parametrize('arguments', [{'real_time_factor': str(FACTOR)}])
def generate_test_description(arguments: dict[str, str]) -> Any:
    included = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(LAUNCH / 'cell.launch.py')),
        launch_arguments=arguments.items(),
    )
    return LaunchDescription([included, launch_testing.actions.ReadyToTest()])


class TestRunningGraph(unittest.TestCase):
    def test_it_answers(self) -> None:
        rclpy.init()
        ros = Harness()
        try:
            check_running_graph(ros)
        finally:
            ros.close()
            rclpy.try_shutdown()


@launch_testing.post_shutdown_test()
class TestAfterwards(unittest.TestCase):
    def test_every_process_ended_when_asked(self, proc_info: Any) -> None:
        launch_testing.asserts.assertExitCodes(proc_info)
