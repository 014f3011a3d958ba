# SPDX-License-Identifier: Apache-2.0
"""The adapter with a controller and a robot that answer, by the messages of their drivers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('vidplan_msgs.msg', reason='needs the built workspace')
pytest.importorskip('control_msgs.action', reason='needs the messages of ros2_controllers')
pytest.importorskip('controller_manager_msgs.srv', reason='needs the messages of ros2_control')
pytest.importorskip('franka_msgs.msg', reason='needs the messages of franka_ros2')

from std_srvs.srv import Trigger

from tests.vidplan.robots import test_adapter_node
from tests.vidplan.robots.fake_franka import FakeFranka
from tests.vidplan.robots.test_adapter_node import Bench
from vidplan.robots.adapter_node import AdapterNode
from vidplan_msgs.msg import AdapterStatus

pytestmark = pytest.mark.ros


def connect(ros: Any, monkeypatch: pytest.MonkeyPatch, **overrides: Any) -> Bench:
    """An adapter that hears a Franka, once both know each other."""
    monkeypatch.setattr(test_adapter_node, 'FakeArm', FakeFranka)
    # Steady time, too, waits for a busy machine.
    monkeypatch.setattr(AdapterNode, 'steady_s', lambda _: ros.time_s())
    values = {'arm_backend': 'action', 'watch_robot_state': True}
    bench = Bench(ros, **(values | overrides))
    # Actions are not among the parts of a node that go with it.
    side = bench.adapter._side
    ros.action_clients += [*bench.arm.servers, *side.action_clients]
    ros.spin_until(lambda: not bench.adapter._arm.problem)
    ros.spin_until(lambda: not bench.adapter._side.problem)
    # What was not heard at the start is a fault, and a fresh activation forgets it.
    bench.adapter.trigger_deactivate()
    bench.adapter.trigger_activate()
    bench.until(lambda status: status.state == AdapterStatus.IDLE and not status.error_code)
    return bench


def fault(bench: Bench, name: str) -> None:
    bench.until(lambda status: status.state == AdapterStatus.FAULT)
    assert bench.status.error_code == getattr(AdapterStatus, name), bench.status.error_msg
    sent = len(bench.arm.trajectories)
    bench.send(bench.plan())
    bench.ros.spin_for(0.2)
    assert len(bench.arm.trajectories) == sent


def moves_again(bench: Bench) -> None:
    bench.ros.spin_for(0.2)
    bench.send(bench.plan((0.02, 0.0, 0.0)))
    bench.until(lambda status: status.state == AdapterStatus.EXECUTING)


def test_plans_are_followed_through_the_action(
    paced_ros: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = connect(paced_ros, monkeypatch)
    bench.start_moving()
    bench.until(lambda status: status.state == AdapterStatus.HOLDING)
    assert bench.status.error_code == AdapterStatus.PLAN_OVERDUE


@pytest.mark.fault('controller_refuses')
def test_a_refusal_is_named_and_moves_nothing(
    paced_ros: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = connect(paced_ros, monkeypatch)
    bench.arm.accepting = False
    bench.send(bench.plan())
    bench.until(lambda status: status.error_code == AdapterStatus.REFUSED)
    assert not bench.arm.trajectories
    bench.arm.accepting = True
    assert bench.ros.call(Trigger, 'adapter/rearm', Trigger.Request()).success
    moves_again(bench)


@pytest.mark.fault('controller_gives_up')
def test_what_the_controller_gives_up_is_named_and_nothing_more_is_sent(
    paced_ros: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = connect(paced_ros, monkeypatch)
    bench.start_moving()
    bench.arm.abort(-4, 'joint 3')
    bench.until(lambda status: status.error_code == AdapterStatus.ABORTED)
    assert 'PATH_TOLERANCE_VIOLATED: joint 3' in bench.status.error_msg
    fault(bench, 'ABORTED')
    assert len(bench.arm.trajectories) == 1
    np.testing.assert_array_equal(bench.arm.state[1], 0)
    assert bench.ros.call(Trigger, 'adapter/rearm', Trigger.Request()).success
    moves_again(bench)


@pytest.mark.fault('reflex')
def test_a_reflex_is_named_and_recovered_from_by_service(
    paced_ros: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = connect(paced_ros, monkeypatch, watch_robot_state=True)
    bench.start_moving()
    bench.arm.reflex()
    bench.until(lambda status: status.state == AdapterStatus.FAULT)
    # Whoever hears it first: the action's result, or the robot's state.
    assert bench.status.error_code in (AdapterStatus.ABORTED, AdapterStatus.ROBOT_REFLEX)
    refusal = bench.ros.call(Trigger, 'adapter/rearm', Trigger.Request())
    assert not refusal.success
    assert 'cartesian_reflex' in refusal.message
    bench.ros.spin_for(0.3)
    assert bench.arm.asked == []  # nobody asked for it
    assert bench.ros.call(Trigger, 'adapter/recover', Trigger.Request()).success
    bench.until(lambda status: status.state != AdapterStatus.FAULT)
    assert bench.arm.asked[:2] == ['clear', 'FrankaHardwareInterface active']
    assert bench.arm.asked[2].endswith('fr3_arm_controller')
    moves_again(bench)


@pytest.mark.fault('recovery')
def test_a_recovery_gives_up_after_so_many_tries(
    paced_ros: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = connect(paced_ros, monkeypatch, recovery_tries=2)
    bench.arm.tries_needed = 99
    bench.arm.reflex()
    bench.until(lambda status: status.state == AdapterStatus.FAULT)
    assert bench.ros.call(Trigger, 'adapter/recover', Trigger.Request()).success
    bench.until(lambda status: status.error_code == AdapterStatus.RECOVERY_FAILED, 20.0)
    assert 'try 2 of 2' in bench.status.error_msg
    assert bench.arm.asked.count('clear') == 2


@pytest.mark.fault('robot_silent')
def test_a_robot_that_falls_silent_is_braked(
    paced_ros: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = connect(paced_ros, monkeypatch)
    bench.start_moving()
    bench.arm.speaking_state = False
    bench.until(lambda status: status.error_code == AdapterStatus.STALE_ROBOT_STATE)
    bench.assert_rest_follows()
