# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('vidplan_msgs.msg', reason='needs the built workspace')

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from tests.vidplan.robots.fake_arm import FakeArm
from tests.vidplan.robots.fake_robot import HOME
from vidplan.robots.adapter_node import AdapterNode
from vidplan.ros import qos
from vidplan.ros.conversions import pose_message, stamp
from vidplan_core.data.readings import seconds
from vidplan_core.errors import ConfigError
from vidplan_core.geometry.fk import flange_pose
from vidplan_core.geometry.robot_files import default_robot
from vidplan_core.geometry.se3 import matrix_to_quaternion
from vidplan_msgs.msg import AdapterStatus, Plan
from vidplan_sim.arm.trajectory_controller import Point, Trajectory

pytestmark = pytest.mark.ros


def flange(q: Any) -> tuple[np.ndarray, np.ndarray]:
    position, rotation = flange_pose(torch.tensor(np.array(q)))
    return position.numpy(), matrix_to_quaternion(rotation).numpy()


class Bench:
    """An adapter between a hand-made plan and an arm."""

    def __init__(self, ros: Any, **overrides: Any) -> None:
        self.ros = ros
        self.arm = ros.add(FakeArm())
        values = {'gripper_backend': 'topic'} | overrides
        self.adapter = ros.add(
            AdapterNode(parameter_overrides=[Parameter(k, value=v) for k, v in values.items()])
        )
        self.statuses = ros.collect(AdapterStatus, 'adapter/status', qos.LATCHED)
        self.publisher = ros.node.create_publisher(Plan, 'plan', qos.COMMAND)
        ros.connect(self.publisher, self.arm.publisher)
        self.plan_id = 0
        ros.spin_until(lambda: self.statuses and self.statuses[-1].committed_times_s)

    @property
    def status(self) -> AdapterStatus:
        return self.statuses[-1]

    def plan(self, step_m: Any = (0.04, 0.0, -0.04), frames: int = 5) -> Plan:
        """Return a plan from where the arm rests, in equal steps to `step_m` away."""
        now_s = self.arm.now_s
        position, quaternion = flange(self.arm.state[0])
        shares = np.linspace(0.0, 1.0, frames)
        self.plan_id += 1
        message = Plan(plan_id=self.plan_id, frame_period_s=0.2, closedness=[0.0] * frames)
        message.header.stamp, message.header.frame_id = stamp(now_s), 'base'
        message.observation_stamp = stamp(now_s - 0.1)
        message.start_time = stamp(now_s + 0.02)
        message.poses = [
            pose_message(position + share * np.array(step_m), quaternion) for share in shares
        ]
        return message

    def send(self, plan: Plan) -> None:
        self.publisher.publish(plan)

    def until(self, condition: Callable[[AdapterStatus], Any], timeout_s: float = 10.0) -> None:
        self.ros.spin_until(lambda: condition(self.status), timeout_s)

    def start_moving(self) -> None:
        self.send(self.plan())
        self.ros.spin_until(lambda: np.abs(self.arm.state[1]).max() > 0.05)

    def assert_rest_follows(self, within_s: float = 1.0) -> None:
        self.ros.spin_until(lambda: np.abs(self.arm.state[1]).max() < 1e-6, within_s)


@pytest.fixture
def bench(paced_ros: Any) -> Bench:
    return Bench(paced_ros)


@pytest.mark.fault('plan_none')
def test_a_plan_is_followed_and_ends_at_rest(bench: Bench) -> None:
    assert bench.status.state == AdapterStatus.IDLE
    assert bench.status.header.frame_id == 'base'
    plan = bench.plan()
    bench.send(plan)
    bench.until(lambda status: status.state == AdapterStatus.EXECUTING)
    assert bench.status.active_plan_id == plan.plan_id
    assert bench.status.error_code == AdapterStatus.NONE
    assert bench.status.committed_times_s[0] == 0.0
    assert bench.status.committed_times_s[-1] == pytest.approx(bench.status.remaining_s, abs=1e-6)
    assert (
        len(bench.status.committed_times_s)
        == len(bench.status.committed_poses)
        == len(bench.status.committed_closedness)
    )

    bench.until(lambda status: status.state == AdapterStatus.HOLDING)
    assert bench.status.error_code == AdapterStatus.PLAN_OVERDUE
    (trajectory,) = bench.arm.trajectories
    assert list(trajectory.points[-1].velocities) == [0.0] * 7
    assert seconds(trajectory.header.stamp) > 0.0
    target, _ = flange(HOME)
    reached, _ = flange(bench.arm.state[0])
    np.testing.assert_allclose(reached, target + [0.04, 0.0, -0.04], atol=2e-3)


def test_a_second_plan_joins_the_motion_of_the_first(bench: Bench) -> None:
    bench.start_moving()
    now_s = bench.arm.now_s
    second = bench.plan()
    second.start_time = stamp(now_s + 0.2)
    # It begins where the arm will be at its start, as a planner reads from the status.
    ahead = seconds(bench.status.header.stamp) + np.array(bench.status.committed_times_s)
    nearest = int(np.abs(ahead - (now_s + 0.2)).argmin())
    begin = bench.status.committed_poses[nearest]
    for frame, pose in enumerate(second.poses):
        pose.position.x = begin.position.x + 0.005 * frame
        pose.position.y, pose.position.z = begin.position.y, begin.position.z
    speeds = []
    bench.send(second)
    while len(bench.arm.trajectories) < 2 or bench.adapter.now_s < now_s + 0.3:
        bench.ros.spin_for(0.005)
        speeds.append(bench.arm.state[1])
        assert bench.arm.now_s < now_s + 5.0
    assert bench.status.error_code == AdapterStatus.NONE
    # Never stands still, and changes its velocity smoothly.
    assert min(np.abs(speed).max() for speed in speeds) > 0.01
    assert np.abs(np.diff(speeds, axis=0)).max() < 0.3


def corrupt_number(plan: Plan) -> None:
    plan.poses[2].position.y = math.nan


def far_away(plan: Plan) -> None:
    for pose in plan.poses[1:]:
        pose.position.x += 1e6


def old(plan: Plan) -> None:
    plan.observation_stamp = stamp(seconds(plan.observation_stamp) - 5.0)


def over(plan: Plan) -> None:
    plan.start_time = stamp(seconds(plan.start_time) - 1.0)


def ahead(plan: Plan) -> None:
    plan.start_time = stamp(seconds(plan.start_time) + 60.0)


def below_table(plan: Plan) -> None:
    for share, pose in enumerate(plan.poses):
        pose.position.z -= 0.13 * share


def elsewhere(plan: Plan) -> None:
    for pose in plan.poses:
        pose.position.y += 0.08


def hasty(plan: Plan) -> None:
    plan.poses[2].position.y += 0.2


def too_short(plan: Plan) -> None:
    plan.closedness = [0.0]


def one_frame(plan: Plan) -> None:
    plan.poses, plan.closedness = plan.poses[:1], [0.0]


def other_frame(plan: Plan) -> None:
    plan.header.frame_id = 'world'


def no_id(plan: Plan) -> None:
    plan.plan_id = 0


def no_rotation(plan: Plan) -> None:
    plan.poses[1].orientation.x = plan.poses[1].orientation.w = 0.0
    plan.poses[1].orientation.y = plan.poses[1].orientation.z = 0.0


def wild_gripper(plan: Plan) -> None:
    plan.closedness[1] = 7.0


@pytest.mark.parametrize(('spoil', 'code'), [
    (corrupt_number, 'NONFINITE'), (far_away, 'WORKSPACE'), (old, 'STALE'), (over, 'STALE'),
    (ahead, 'FUTURE'), (below_table, 'WORKSPACE'), (elsewhere, 'JUMP'), (hasty, 'SPEED'),
    (too_short, 'WRONG_SIZE'), (one_frame, 'WRONG_SIZE'), (other_frame, 'WRONG_FRAME'),
    (no_id, 'OUT_OF_ORDER'), (no_rotation, 'INVALID'), (wild_gripper, 'INVALID'),
])  # fmt: skip
@pytest.mark.fault(
    'plan_nan', 'plan_outside', 'plan_old', 'plan_future', 'plan_jump', 'plan_fast', 'plan_huge',
    'plan_frame', 'plan_absurd',
)  # fmt: skip
def test_bad_plans_are_refused_by_name(
    bench: Bench, spoil: Callable[[Plan], None], code: str
) -> None:
    plan = bench.plan(step_m=(0.02, 0.0, 0.0))
    spoil(plan)
    bench.send(plan)
    bench.until(lambda status: status.error_code)
    assert bench.status.error_code == getattr(AdapterStatus, code), bench.status.error_msg
    assert bench.status.rejected_plan_id == plan.plan_id
    assert bench.status.error_msg
    assert bench.status.state != AdapterStatus.EXECUTING
    assert not bench.arm.trajectories

    good = bench.plan(step_m=(0.02, 0.0, 0.0))
    bench.send(good)
    bench.until(lambda status: status.state == AdapterStatus.EXECUTING)
    assert bench.status.error_code == AdapterStatus.NONE


@pytest.mark.fault('stop')
def test_stop_brakes_at_once_and_for_good(bench: Bench) -> None:
    bench.start_moving()
    late = bench.plan()
    assert bench.ros.call(Trigger, 'adapter/stop', Trigger.Request()).success
    bench.ros.spin_until(lambda: len(bench.arm.trajectories) == 2)
    bench.until(lambda status: status.state == AdapterStatus.STOPPING)
    assert seconds(bench.arm.trajectories[-1].header.stamp) == 0.0
    bench.assert_rest_follows()
    # A plan that was under way when the arm was stopped does not move it again.
    bench.send(late)
    bench.until(lambda status: status.error_code == AdapterStatus.OUT_OF_ORDER)
    assert 'before the arm was stopped' in bench.status.error_msg
    bench.send(bench.plan())
    bench.until(lambda status: status.state == AdapterStatus.EXECUTING)


def test_stop_of_a_resting_arm_sends_nothing(bench: Bench) -> None:
    assert bench.ros.call(Trigger, 'adapter/stop', Trigger.Request()).success
    bench.until(lambda status: status.error_code == AdapterStatus.STOP_REQUESTED)
    assert not bench.arm.trajectories


@pytest.mark.parametrize('attribute', ['speaking', 'broken_joint'])
@pytest.mark.fault('joints_stop', 'joints_wrong')
def test_lost_joint_states_stop_the_arm(bench: Bench, attribute: str) -> None:
    bench.start_moving()
    setattr(bench.arm, attribute, attribute != 'speaking')
    bench.until(lambda status: status.state == AdapterStatus.FAULT)
    bench.assert_rest_follows()
    expected = {'speaking': 'STALE_JOINT_STATE', 'broken_joint': 'WRONG_JOINTS'}[attribute]
    assert bench.status.error_code == getattr(AdapterStatus, expected), bench.status.error_msg
    sent = len(bench.arm.trajectories)
    plan = bench.plan()
    bench.send(plan)
    bench.ros.spin_for(0.2)
    assert len(bench.arm.trajectories) == sent
    setattr(bench.arm, attribute, attribute == 'speaking')
    bench.until(lambda status: status.state == AdapterStatus.HOLDING)
    bench.send(bench.plan())
    bench.until(lambda status: status.state == AdapterStatus.EXECUTING)


@pytest.mark.fault('someone_else')
def test_an_arm_that_somebody_else_moves_is_left_alone(bench: Bench) -> None:
    there = np.array(HOME) + [0.3, 0, 0, 0, 0, 0, 0]
    push = Trajectory(default_robot().joint_names, [Point(list(there), [0.0] * 7, None, 1.0)])
    bench.arm.controller.accept(push, bench.arm.now_s, *bench.arm.state)
    bench.ros.spin_until(lambda: np.abs(bench.arm.state[1]).max() > 0.2)
    bench.ros.spin_for(0.05)
    bench.send(bench.plan())
    bench.until(lambda status: status.error_code == AdapterStatus.TRACKING)
    assert 'who moves it' in bench.status.error_msg
    assert not bench.arm.trajectories


@pytest.mark.fault('joints_astray', 'joints_jump')
def test_a_wrong_joint_state_moves_nothing_until_somebody_rearms(bench: Bench) -> None:
    bench.send(bench.plan())
    bench.until(lambda status: status.state == AdapterStatus.HOLDING)
    sent = len(bench.arm.trajectories)
    bench.arm.offset_rad = 0.2
    bench.until(lambda status: status.state == AdapterStatus.FAULT)
    bench.arm.offset_rad = 0.0
    bench.ros.spin_for(0.3)
    assert bench.status.state == AdapterStatus.FAULT
    assert bench.status.error_code in (AdapterStatus.TRACKING, AdapterStatus.JOINT_JUMP)
    assert 'adapter/rearm' in bench.status.error_msg
    plan = bench.plan()
    bench.send(plan)
    bench.ros.spin_for(0.2)
    assert len(bench.arm.trajectories) == sent
    answer = bench.ros.call(Trigger, 'adapter/rearm', Trigger.Request())
    assert answer.success, answer.message
    bench.until(lambda status: status.state == AdapterStatus.HOLDING)
    bench.send(bench.plan())
    bench.until(lambda status: status.state == AdapterStatus.EXECUTING)


@pytest.mark.fault('plan_huge')
def test_a_huge_plan_is_refused_before_it_is_read(bench: Bench) -> None:
    huge = bench.plan()
    huge.poses = huge.poses[:1] * 20_000
    bench.send(huge)
    bench.until(lambda status: status.error_code == AdapterStatus.WRONG_SIZE, 20.0)
    assert 'bytes' in bench.status.error_msg
    long = bench.plan(frames=65)
    bench.send(long)
    bench.until(lambda status: status.rejected_plan_id == long.plan_id)
    assert '24 frames' in bench.status.error_msg
    assert not bench.arm.trajectories


@pytest.mark.fault('plan_stranger')
def test_plans_come_from_one_planner_only(bench: Bench) -> None:
    bench.send(bench.plan())
    bench.until(lambda status: status.state == AdapterStatus.HOLDING)
    stranger = bench.ros.add(Node('stranger'))
    publisher = stranger.create_publisher(Plan, 'plan', qos.COMMAND)
    bench.ros.connect(publisher)
    plan = bench.plan()
    publisher.publish(plan)
    bench.until(lambda status: status.rejected_plan_id == plan.plan_id)
    assert bench.status.error_code == AdapterStatus.WRONG_WRITER
    assert '/stranger' in bench.status.error_msg
    assert len(bench.arm.trajectories) == 1
    stranger.destroy_publisher(publisher)
    bench.ros.spin_until(lambda: bench.adapter.count_publishers('plan') == 1)
    bench.send(bench.plan())
    bench.until(lambda status: status.state == AdapterStatus.EXECUTING)


@pytest.mark.fault('adapter_ends')
def test_deactivation_brakes_and_refuses(bench: Bench) -> None:
    bench.start_moving()
    change = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_DEACTIVATE))
    assert bench.ros.call(ChangeState, 'adapter/change_state', change).success
    bench.assert_rest_follows()
    bench.until(lambda status: status.state == AdapterStatus.IDLE)
    plan = bench.plan()
    bench.send(plan)
    bench.until(lambda status: status.rejected_plan_id == plan.plan_id)
    assert bench.status.error_code == AdapterStatus.INACTIVE
    bench.adapter.trigger_activate()
    bench.send(bench.plan())
    bench.until(lambda status: status.state == AdapterStatus.EXECUTING)


@pytest.mark.fault('transition')
def test_a_transition_that_is_not_possible_is_refused_and_harms_nobody(bench: Bench) -> None:
    bench.start_moving()
    change = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_CONFIGURE))
    assert not bench.ros.call(ChangeState, 'adapter/change_state', change).success
    assert bench.status.state == AdapterStatus.EXECUTING


def test_dry_run_checks_but_sends_nothing(paced_ros: Any) -> None:
    bench = Bench(paced_ros, dry_run=True)
    for _ in range(2):
        plan = bench.plan()
        plan.closedness = [1.0] * 5
        bench.send(plan)
        bench.until(lambda status, plan=plan: status.active_plan_id == plan.plan_id)
        assert bench.status.error_code != AdapterStatus.JUMP
    broken = bench.plan()
    corrupt_number(broken)
    bench.send(broken)
    bench.until(lambda status: status.error_code == AdapterStatus.NONFINITE)
    assert not bench.arm.trajectories
    assert not bench.arm.gripper


def test_gripper_is_told_once(bench: Bench) -> None:
    plan = bench.plan()
    plan.closedness = [0.0, 0.0, 0.9, 1.0, 1.0]
    bench.send(plan)
    bench.until(lambda status: status.state == AdapterStatus.HOLDING)
    assert bench.arm.gripper == [1.0]


@pytest.mark.fault('controller_none')
def test_nobody_to_command_is_a_fault(paced_ros: Any) -> None:
    bench = Bench(paced_ros)
    publisher = bench.adapter._arm.publisher
    paced_ros.connect(publisher)
    for subscription in list(bench.arm.subscriptions):
        bench.arm.destroy_subscription(subscription)
    bench.until(lambda status: status.state == AdapterStatus.FAULT)
    assert bench.status.error_code == AdapterStatus.NO_CONTROLLER


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
@pytest.mark.fault('adapter_ends')
def test_the_process_brakes_before_it_ends(ros: Any, number: int) -> None:
    words = ('--ros-args', '-p', 'gripper_backend:=topic')
    command = [sys.executable, '-m', 'vidplan.robots.adapter_node', *words]
    process = subprocess.Popen(command, env=os.environ)
    try:
        bench = Bench.__new__(Bench)
        bench.ros, bench.plan_id = ros, 0
        bench.arm = ros.add(FakeArm())
        bench.statuses = ros.collect(AdapterStatus, 'adapter/status', qos.LATCHED)
        bench.publisher = ros.node.create_publisher(Plan, 'plan', qos.COMMAND)
        ros.spin_until(lambda: bench.statuses and bench.status.committed_times_s, 90.0)
        ros.spin_until(lambda: bench.status.state == AdapterStatus.IDLE)
        ros.connect(bench.publisher)
        bench.start_moving()
        process.send_signal(number)
        ros.spin_until(lambda: len(bench.arm.trajectories) == 2)
        bench.assert_rest_follows()
        assert process.wait(10.0) == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(('name', 'value', 'says'), [
    ('velocity_scale', 3.0, 'velocity_scale'),
    ('gripper_backend', 'magnet', 'robot, topic, franka_hand'),
    ('tool_box_lower_m', [0.9, 0.0, 0.0], 'tool_box_lower_m'),
    ('obstacle_boxes_m', [0.9, 0.0, 0.0], 'six numbers'),
    ('obstacle_boxes_m', [0.9, 0.0, 0.0, 0.8, 1.0, 1.0], 'obstacle_boxes_m'),
    ('robot', 'fr3_hnad', 'fer_hand, fr3_hand, fr3_robotiq'),
    ('gripper_open_below', 0.9, 'open_below'),
    ('gripper_backend', 'franka_hand', 'franka_msgs'),
])  # fmt: skip
@pytest.mark.fault('parameter')
def test_impossible_parameters_are_named(ros: Any, name: str, value: Any, says: str) -> None:
    values = {'gripper_backend': 'topic', name: value}
    with pytest.raises(ConfigError, match=says):
        AdapterNode(parameter_overrides=[Parameter(k, value=v) for k, v in values.items()])
