# SPDX-License-Identifier: Apache-2.0
"""Whatever order of transitions an operator asks for: goals end, and the server lives on."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('vidplan_msgs.msg', reason='needs the built workspace')

from action_msgs.msg import GoalStatus
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState

from tests.vidplan.planning_server.server_graph import ROS_ARGS as ROS_ARGS
from tests.vidplan.planning_server.server_graph import Graph
from tests.vidplan.planning_server.server_graph import graph as graph
from vidplan.ros import qos
from vidplan.tasks.endings import Ending

pytestmark = pytest.mark.ros

NODES = 'world_model', 'reward', 'planner'
UP = Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE
DOWN = Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP
# Not a transition: something that the node calls raises what nobody expects.
BREAKS = -1
STEPS = 12


def ask(graph: Graph, node: str, transition: int) -> None:
    """Ask as `ros2 lifecycle set` does; what is not allowed now is refused."""
    if transition == BREAKS:
        named(graph, node).fail(ZeroDivisionError('by zero'))
        return
    request = ChangeState.Request(transition=Transition(id=transition))
    graph.ros.call(ChangeState, f'{node}/change_state', request)


def named(graph: Graph, name: str) -> Any:
    return next(node for node in graph.server.nodes if node.get_name() == name)


def up_again(graph: Graph) -> None:
    """Down to the ground and up again, it works as before."""
    for node in reversed(NODES):
        for transition in DOWN:
            ask(graph, node, transition)
    for transition in UP:
        for node in NODES:
            ask(graph, node, transition)
    graph.ros.spin_until(lambda: graph.server.host.feed.sample())
    assert graph.run()[0] == GoalStatus.STATUS_SUCCEEDED


def orders() -> list[list[tuple[str, int]]]:
    """The models go from under the planner, and orders by chance."""
    draw = random.Random(0)
    by_chance = [
        [(draw.choice(NODES), draw.choice((*UP, *DOWN, BREAKS))) for _ in range(STEPS)]
        for _ in range(3)
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
    up_again(graph)


@pytest.mark.fault('callback_fails')
def test_an_exception_in_mid_motion_ends_the_goal_with_the_arm_at_rest(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph.system.cycles = 1000
    diagnostics = graph.ros.collect(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    handle = graph.send()
    graph.until_moving()
    broken = ZeroDivisionError('by zero')

    def push(_: Any) -> None:
        monkeypatch.undo()
        raise broken

    monkeypatch.setattr(graph.server.host.feed, 'push', push)
    status, result = graph.end(handle)
    assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, Ending.SHUTDOWN)
    assert graph.adapter.stops
    planner = graph.server.planner
    graph.ros.spin_until(lambda: planner.state == 'unconfigured')
    assert planner.failure is broken
    graph.ros.spin_until(lambda: any(
        'INTERNAL: ZeroDivisionError: by zero' in status.message
        for array in diagnostics for status in array.status
    ))  # fmt: skip
    graph.system.cycles = 3
    up_again(graph)


@pytest.mark.parametrize('name', NODES)
@pytest.mark.fault('server_ends')
def test_the_process_is_to_end_when_one_node_is_shut_down(graph: Graph, name: str) -> None:
    handle = graph.send()
    request = ChangeState.Request(transition=Transition(label='shutdown'))
    assert graph.ros.call(ChangeState, f'{name}/change_state', request).success
    graph.server.wait()
    assert graph.end(handle)[0] in (GoalStatus.STATUS_SUCCEEDED, GoalStatus.STATUS_ABORTED)


@pytest.mark.fault('server_ends')
def test_the_process_ends_with_it(ros: Any, repository: Path) -> None:
    environment = {**os.environ, 'PYTHONPATH': f'{repository}:{os.environ.get("PYTHONPATH", "")}'}
    command = [sys.executable, '-m', 'tests.vidplan.bringup.moving.planner']
    process = subprocess.Popen(command, env=environment)
    try:
        request = ChangeState.Request(transition=Transition(label='shutdown'))
        assert ros.call(ChangeState, 'planner/change_state', request, 120.0).success
        assert process.wait(60.0) == 0
    finally:
        process.kill()
        process.wait()
