# SPDX-License-Identifier: Apache-2.0
"""Real processes against the simulated robot; something fails while the arm moves."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('vidplan_msgs.msg', reason='needs the built workspace')
pytest.importorskip('mujoco', reason='needs the simulated cell')

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from tests.fakes.ros_harness import DISCOVERY_S
from tests.vidplan.bringup.moving.graph import moving_graph, python_path
from tests.vidplan.bringup.moving.up import LIMITS
from vidplan.bringup.graph import CELL
from vidplan.bringup.process import Child, ProcessGroup
from vidplan.ros import qos
from vidplan_msgs.action import PlanTask
from vidplan_msgs.msg import AdapterStatus

pytestmark = [pytest.mark.ros, pytest.mark.slow]

# Slow enough for a busy machine: what is tested is the order of events, not the pace.
FACTOR = 0.25
START_S = 240.0
MOVING_RAD_S = 0.05
RESTING_RAD_S = 0.005


@dataclass
class Robot:
    """The running graph, seen from outside."""

    ros: Any
    group: ProcessGroup
    lines: list[str]
    joints: list[JointState]
    status: list[AdapterStatus]
    diagnostics: list[DiagnosticArray]

    def child(self, name: str) -> Child:
        return next(child for child in self.group.children if child.name == name)

    def speed(self) -> float:
        """Largest joint speed of the newest state [rad/s]."""
        return float(np.abs(self.joints[-1].velocity).max()) if self.joints else 0.0

    def time_s(self) -> float:
        stamp = self.joints[-1].header.stamp
        return stamp.sec + 1e-9 * stamp.nanosec

    def is_ready(self) -> bool:
        levels = {s.name: s.level for array in self.diagnostics[-30:] for s in array.status}
        return levels.get('planner: planning') == DiagnosticStatus.OK

    def wait(self, condition: Any, timeout_s: float = 60.0) -> Any:
        return self.ros.spin_until(condition, timeout_s, self.lines)

    def rests_soon(self, within_s: float) -> None:
        """The arm is at rest after this much simulated time, and stays there."""
        begin_s = self.time_s()
        self.wait(lambda: self.time_s() > begin_s + within_s)
        del self.joints[:-1]
        self.wait(lambda: self.time_s() > begin_s + within_s + 0.5)
        assert max(np.abs(state.velocity).max() for state in self.joints) < RESTING_RAD_S


@pytest.fixture
def robot(
    ros: Any, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Robot]:
    monkeypatch.setenv('PYTHONPATH', python_path())
    lines: list[str] = []
    values = CELL.values({'real_time_factor': FACTOR})
    more = getattr(request, 'param', {})
    graph = moving_graph({'planning_server': LIMITS, **more})
    with ProcessGroup(graph, values, lambda name, line: lines.append(f'{name} {line}')) as group:
        made = Robot(
            ros, group, lines,
            ros.collect(JointState, 'joint_states', qos.SENSOR),
            ros.collect(AdapterStatus, 'adapter/status', qos.LATCHED),
            ros.collect(DiagnosticArray, '/diagnostics', qos.DIAGNOSTICS),
        )  # fmt: skip
        made.wait(made.is_ready, START_S)
        yield made


def start_moving(robot: Robot) -> Any:
    """Send a goal, and return its handle when the arm moves."""
    client = robot.ros.action_client(PlanTask, 'plan_task', DISCOVERY_S)
    goal = PlanTask.Goal(instruction='move to the carrot', time_limit_s=600.0)
    sent = client.send_goal_async(goal)
    robot.wait(sent.done)
    ended = sent.result().get_result_async()
    robot.wait(lambda: robot.speed() > MOVING_RAD_S or ended.done())
    assert not ended.done(), robot.lines[-1]
    # Well under way, over the seam between two plans.
    begin_s = robot.time_s()
    robot.wait(lambda: robot.time_s() > begin_s + 1.5 and robot.speed() > MOVING_RAD_S)
    return sent.result()


@pytest.mark.fault('server_killed')
def test_killed_planning_server_leaves_the_arm_at_rest(robot: Robot) -> None:
    start_moving(robot)
    os.kill(robot.child('planning_server').pid, signal.SIGKILL)
    robot.rests_soon(within_s=2.0)
    assert robot.child('adapter').exit_code is None
    assert robot.status[-1].state in (AdapterStatus.IDLE, AdapterStatus.HOLDING)
    assert robot.status[-1].remaining_s == 0.0


@pytest.mark.fault('adapter_killed')
def test_killed_adapter_ends_the_goal_and_leaves_the_arm_at_rest(robot: Robot) -> None:
    handle = start_moving(robot)
    os.kill(robot.child('adapter').pid, signal.SIGKILL)
    robot.rests_soon(within_s=2.0)
    ended = handle.get_result_async()
    robot.wait(ended.done)
    assert ended.result().result.error_code == PlanTask.Result.NO_ADAPTER


@pytest.mark.fault('server_ends')
def test_interrupted_planning_server_brings_the_arm_to_rest_first(robot: Robot) -> None:
    handle = start_moving(robot)
    ended = handle.get_result_async()
    os.kill(robot.child('planning_server').pid, signal.SIGTERM)
    robot.wait(ended.done)
    assert ended.result().result.error_code == PlanTask.Result.SHUTDOWN
    robot.rests_soon(within_s=0.5)
    robot.wait(lambda: robot.child('planning_server').exit_code == 0)


@pytest.mark.parametrize('robot', [{'stitcher': (('check_views', True),)}], indirect=True)
@pytest.mark.fault('camera_frozen')
def test_a_frozen_picture_with_new_stamps_ends_the_goal_by_name(robot: Robot) -> None:
    handle = start_moving(robot)
    ended = handle.get_result_async()
    freezer = robot.ros.node.create_publisher(String, 'cell/freeze', 10)
    robot.ros.connect(freezer)
    freezer.publish(String(data='left'))
    robot.wait(ended.done)
    result = ended.result().result
    assert result.error_code == PlanTask.Result.INVALID_OBSERVATION
    assert "view 'left' is frozen" in result.error_msg
    robot.rests_soon(within_s=0.5)
