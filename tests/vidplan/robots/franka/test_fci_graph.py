# SPDX-License-Identifier: Apache-2.0
"""The planning graph with the node `fci`, whose arm and hand a server of the protocol stands for.

On a busy machine the arm also stops itself because commands come late; it is then recovered, as
when that was provoked. What is tested is the way from goal to arm and back, not the pace.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('pylibfranka', reason='needs pylibfranka')
pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('vidplan_msgs.msg', reason='needs the built workspace')

from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger

from tests.fakes.ros_harness import DISCOVERY_S
from tests.vidplan.robots.franka.protocol_server import HOST, needs_server, protocol_server
from vidplan.bringup.description import Graph, Process
from vidplan.bringup.graph import PLANNING
from vidplan.bringup.process import ProcessGroup
from vidplan.parameters.adapter import FCI
from vidplan.ros import qos
from vidplan.trials.graph.cameras import SimulatedCameras
from vidplan_msgs.action import PlanTask
from vidplan_msgs.msg import AdapterStatus

pytestmark = [pytest.mark.ros, pytest.mark.slow, needs_server]

START_S, SOON_S, AGAIN_S = 120.0, 30.0, 3.0
# So far the first joints are moved by a plan or two, rad; a recovery is tried so often.
MOVED_RAD, TRIES = 0.02, 20
# Longer than the robot goes on without commands, s.
HELD_UP_S = 0.1


def fci_graph() -> Graph:
    """Return the planning graph, with a planner that needs no models."""
    return replace(PLANNING, processes=tuple(_changed(one) for one in PLANNING.processes))


def _changed(process: Process) -> Process:
    if process.executable == 'planning_server':
        return replace(process, package='no_such_package', module='vidplan.trials.graph.planner')
    more = {
        'adapter': (('arm_backend', FCI),),
        'fci': (('enforce_realtime', False), ('realtime_priority', 0)),
    }.get(process.executable, ())
    return replace(process, parameters=process.parameters + more)


@dataclass
class Robot:
    """The running graph, seen from outside."""

    ros: Any
    group: ProcessGroup
    lines: list[str]
    joints: list[JointState]
    fingers: list[JointState]
    status: list[AdapterStatus]
    client: Any
    goal: Any = None

    def wait(self, condition: Any, timeout_s: float = SOON_S) -> Any:
        return self.ros.spin_until(condition, timeout_s, self.lines)

    def moves(self) -> None:
        """Have the arm move, as a person would: with goals, and recoveries where it stops."""
        for _ in range(TRIES):
            begin = np.array(self.joints[-1].position)
            self.send_goal()
            try:
                self.ros.spin_until(lambda begin=begin: self._away(begin) > MOVED_RAD, AGAIN_S)
                return
            except AssertionError:
                self.ros.call(Trigger, 'adapter/recover', Trigger.Request())
        raise AssertionError('\n'.join(self.lines[-40:]))

    def send_goal(self) -> None:
        """Send a goal, where none is under way."""
        if self.goal is None or self.goal.done():
            goal = PlanTask.Goal(instruction='move to the carrot', time_limit_s=600.0)
            sent = self.client.send_goal_async(goal)
            self.wait(sent.done)
            self.goal = sent.result().get_result_async() if sent.result().accepted else None

    def _away(self, begin: np.ndarray) -> float:
        return float(np.abs(np.array(self.joints[-1].position) - begin).max())

    def stop_itself(self) -> None:
        """Have the arm move and hold everything at it up, until that is named as a reflex.

        The first fault counts, so on a busy machine another may be named instead.
        """
        child = next(one for one in self.group.children if one.name == 'fci')
        for _ in range(TRIES):
            self.moves()
            child.send(signal.SIGSTOP)
            time.sleep(HELD_UP_S)
            child.send(signal.SIGCONT)
            with suppress(AssertionError):
                self.ros.spin_until(self.names_a_reflex, AGAIN_S)
                return
        raise AssertionError('\n'.join(self.lines[-40:]))

    def names_a_reflex(self) -> bool:
        return bool(self.status[-1].error_code == AdapterStatus.ROBOT_REFLEX)


@pytest.fixture
def robot(ros: Any, tmp_path: Path) -> Iterator[Robot]:
    lines: list[str] = []
    cameras = ros.add(SimulatedCameras(''))
    cameras.change_hand = lambda message: None  # the hand is the server's
    values = PLANNING.values({'fci': True, 'fci_host': HOST})
    with (
        protocol_server(tmp_path / 'server.log', '--enforce-comm-constraints'),
        ProcessGroup(fci_graph(), values, lambda *words: lines.append(' '.join(words))) as group,
    ):
        made = Robot(
            ros, group, lines,
            ros.collect(JointState, 'joint_states', qos.STATES),
            ros.collect(JointState, 'gripper/joint_states', qos.STATES),
            ros.collect(AdapterStatus, 'adapter/status', qos.LATCHED),
            ros.action_client(PlanTask, 'plan_task', DISCOVERY_S),
        )  # fmt: skip
        made.wait(lambda: made.joints and made.fingers and made.status, START_S)
        yield made


@pytest.mark.fault('reflex')
def test_goals_move_the_arm_and_a_reflex_is_recovered_from_by_service(robot: Robot) -> None:
    robot.stop_itself()
    robot.moves()
