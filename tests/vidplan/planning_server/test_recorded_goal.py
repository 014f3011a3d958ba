# SPDX-License-Identifier: Apache-2.0
"""Goal and result travel in services; the planner also tells them on topics, for recorders."""

from __future__ import annotations

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('vidplan_msgs.msg', reason='needs the built workspace')

from tests.vidplan.planning_server.server_graph import ROS_ARGS as ROS_ARGS
from tests.vidplan.planning_server.server_graph import Graph
from vidplan.ros import qos
from vidplan_eval.bags.recording import GOAL, RESULT
from vidplan_msgs.action import PlanTask

pytestmark = pytest.mark.ros


def test_goal_and_result_are_told_on_topics(graph: Graph) -> None:
    goals = graph.ros.collect(PlanTask.Goal, GOAL, qos.EVENT)
    results = graph.ros.collect(PlanTask.Result, RESULT, qos.EVENT)
    graph.ros.spin_until(lambda: graph.ros.node.count_publishers(GOAL))
    graph.run()
    graph.ros.spin_until(lambda: goals and results)
    assert goals[0].instruction == 'move to the carrot'
    assert results[0].success
    assert results[0].target == 'carrot'
