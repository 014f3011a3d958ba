# SPDX-License-Identifier: Apache-2.0
"""Whatever order of transitions an operator asks for: goals end, and the server lives on."""

from __future__ import annotations

import random

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('vidplan_msgs.msg', reason='needs the built workspace')

from action_msgs.msg import GoalStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState

from tests.vidplan.planning_server.server_graph import ROS_ARGS as ROS_ARGS
from tests.vidplan.planning_server.server_graph import Graph
from tests.vidplan.planning_server.server_graph import graph as graph

pytestmark = pytest.mark.ros

NODES = 'world_model', 'reward', 'planner'
UP = Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE
DOWN = Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP
STEPS = 12


def ask(graph: Graph, node: str, transition: int) -> None:
    """Ask as `ros2 lifecycle set` does; what is not allowed now is refused."""
    request = ChangeState.Request(transition=Transition(id=transition))
    graph.ros.call(ChangeState, f'{node}/change_state', request)


def orders() -> list[list[tuple[str, int]]]:
    """The models go from under the planner, and orders by chance."""
    draw = random.Random(0)
    by_chance = [
        [(draw.choice(NODES), draw.choice(UP + DOWN)) for _ in range(STEPS)] for _ in range(3)
    ]
    return [[('world_model', step) for step in DOWN], *by_chance]


@pytest.mark.fault('transition', 'models_gone')
@pytest.mark.parametrize('order', orders(), ids=['models first', 'one', 'two', 'three'])
def test_the_server_survives_any_order(graph: Graph, order: list[tuple[str, int]]) -> None:
    for node, transition in order:
        ask(graph, node, transition)
    handle = graph.send()
    if handle.accepted:
        assert graph.end(handle)[0] in (GoalStatus.STATUS_SUCCEEDED, GoalStatus.STATUS_ABORTED)
    assert not graph.server.ended.is_set()
    # Down to the ground and up again, it works as before.
    for node in reversed(NODES):
        for transition in DOWN:
            ask(graph, node, transition)
    for transition in UP:
        for node in NODES:
            ask(graph, node, transition)
    graph.ros.spin_until(lambda: graph.server.host.feed.sample())
    assert graph.run()[0] == GoalStatus.STATUS_SUCCEEDED
