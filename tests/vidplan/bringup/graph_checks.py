# SPDX-License-Identifier: Apache-2.0
"""What must be true of a running cell graph, however it was started."""

from __future__ import annotations

from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from tests.fakes.ros_harness import DISCOVERY_S, Harness
from vidplan.ros import qos
from vidplan.ros.images import image_to_rgb
from vidplan_msgs.action import PlanTask
from vidplan_msgs.msg import AdapterStatus, Observation

NODES = {'stitcher', 'world_model', 'reward', 'planner', 'adapter', 'cell'}
# Models are loaded and everything is imported; a busy machine takes its time.
START_S = 240.0
#: Slow enough for any machine.
FACTOR = 0.1


def check_running_graph(ros: Harness) -> None:
    """Nodes, topics and action of the graph are there and answer."""
    observations = ros.collect(Observation, 'observation', qos.OBSERVATION)
    statuses = ros.collect(AdapterStatus, 'adapter/status', qos.LATCHED)
    diagnostics = ros.collect(DiagnosticArray, '/diagnostics', qos.DIAGNOSTICS)
    ros.spin_until(lambda: set(ros.node.get_node_names()) >= NODES, START_S)
    ros.spin_until(lambda: _is_ok(diagnostics, 'planner: planning'), START_S)
    ros.spin_until(lambda: observations and statuses)
    assert image_to_rgb(observations[-1].image).shape == (288, 160, 3)
    assert statuses[-1].state in (AdapterStatus.IDLE, AdapterStatus.HOLDING)
    assert _end_of(ros, 'sing a song').error_code == PlanTask.Result.INVALID_INSTRUCTION


def _is_ok(arrays: list[DiagnosticArray], name: str) -> bool:
    levels = [s.level for array in arrays for s in array.status if s.name == name]
    return levels[-1:] == [DiagnosticStatus.OK]


def _end_of(ros: Harness, instruction: str) -> Any:
    client = ros.action_client(PlanTask, 'plan_task', DISCOVERY_S)
    sent = client.send_goal_async(PlanTask.Goal(instruction=instruction))
    ros.spin_until(sent.done)
    ended = sent.result().get_result_async()
    ros.spin_until(ended.done)
    return ended.result().result
