# SPDX-License-Identifier: Apache-2.0
"""Goal and result travel in services; the planner also tells them on topics, for recorders."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('vidplan_msgs.msg', reason='needs the built workspace')

from tests.vidplan.test_planning_server import graph as graph  # noqa: E402
from vidplan import qos  # noqa: E402
from vidplan.recording import GOAL, RESULT  # noqa: E402
from vidplan_msgs.action import PlanTask  # noqa: E402

pytestmark = pytest.mark.ros


def test_goal_and_result_are_told_on_topics(graph: Any) -> None:
    goals = graph.ros.collect(PlanTask.Goal, GOAL, qos.EVENT)
    results = graph.ros.collect(PlanTask.Result, RESULT, qos.EVENT)
    graph.ros.spin_until(lambda: graph.ros.node.count_publishers(GOAL))
    graph.run()
    graph.ros.spin_until(lambda: goals and results)
    assert goals[0].instruction == 'move to the carrot'
    assert results[0].success
    assert results[0].target == 'carrot'
