# SPDX-License-Identifier: Apache-2.0
"""Every shipped robot: its file, and its model through kinematics, limits and the adapter."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest
import torch
import yaml

from vidplan_core.control import rejection
from vidplan_core.control.adapter import ActionAdapter
from vidplan_core.control.commands import PlanCommand
from vidplan_core.control.config import AdapterConfig
from vidplan_core.errors import CommandRejectedError, ConfigError
from vidplan_core.geometry.camera_files import default_layout
from vidplan_core.geometry.fk import flange_pose, hand_yaw, tcp_position, tcp_rotation
from vidplan_core.geometry.ik import IkSolver, arm_mjcf
from vidplan_core.geometry.robot import RobotModel
from vidplan_core.geometry.robot_files import default_robot, load_robot
from vidplan_core.geometry.se3 import matrix_to_quaternion
from vidplan_sim.arm import franka, kinematics
from vidplan_sim.render.cameras import VIEWS

FILES = Path(__file__).resolve().parents[3] / 'config' / 'robots'
NAMES = sorted(path.stem for path in FILES.glob('*.yaml'))
PERIOD_S = 0.2

every_robot = pytest.mark.parametrize('name', NAMES)


def random_angles(robot: RobotModel, count: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    limits = robot.limits
    return rng.uniform(limits.lower, limits.upper, (count, len(limits.names)))


def flange(robot: RobotModel, q: Any) -> tuple[np.ndarray, np.ndarray]:
    position, rotation = flange_pose(torch.tensor(np.asarray(q), dtype=torch.float64), robot)
    return position.numpy(), rotation.numpy()


def test_three_robots_are_shipped_and_the_hand_is_the_default() -> None:
    assert NAMES == ['fer_hand', 'fr3_hand', 'fr3_robotiq']
    assert default_robot() is default_robot()
    assert default_robot().name == 'fr3_hand'


@every_robot
def test_the_fingers_part_along_the_normal_of_the_line_across_them(name: str) -> None:
    robot = load_robot(name)
    across = robot.across_fingers
    assert np.linalg.norm(across) == pytest.approx(1.0)
    assert across[np.abs(across).argmax()] > 0.0
    np.testing.assert_allclose(
        robot.tool.rotation, tcp_rotation(torch.eye(3, dtype=torch.float64), robot), atol=1e-12
    )
    tips = np.array(robot.fingertips) @ robot.tool.rotation
    parted, wide = np.ptp(tips @ np.cross([0.0, 0.0, 1.0], across)), np.ptp(tips @ across)
    assert parted > robot.gripper.opening_m - 0.005
    assert wide < 0.5 * parted


@every_robot
def test_the_yaw_of_the_hand_is_that_of_the_line_across_its_fingers(name: str) -> None:
    robot = load_robot(name)
    _, rotation = flange(robot, robot.home)
    tips = (rotation @ np.array(robot.fingertips).T)[:2]
    yaw = float(hand_yaw(torch.tensor(rotation), robot))
    assert np.ptp(np.array([np.cos(yaw), np.sin(yaw)]) @ tips) < 0.03


@every_robot
def test_a_file_says_its_name_and_gives_the_same_by_path(name: str) -> None:
    robot, again = load_robot(name), load_robot(str(FILES / f'{name}.yaml'))
    assert robot.name == again.name == name
    assert robot.chain == again.chain
    assert robot.gripper == again.gripper
    np.testing.assert_array_equal(robot.hard_limits.jerk, again.hard_limits.jerk)


def test_what_the_three_differ_in() -> None:
    fer, hand, robotiq = (load_robot(name) for name in NAMES)
    assert fer.joint_names[6] == 'panda_joint7'
    assert hand.joint_names == robotiq.joint_names
    assert fer.hard_limits.upper[5] == 3.7525
    assert fer.hard_limits.braking is None
    assert hand.hard_limits.braking is not None
    assert robotiq.tool.position == (0.0, 0.0, 0.1558)
    grippers = [(robot.gripper.interface, robot.gripper.action) for robot in (hand, robotiq)]
    assert grippers == [
        ('franka_hand', 'franka_gripper'), ('robotiq', 'robotiq_gripper_controller/gripper_cmd')
    ]  # fmt: skip


def test_a_prefix_names_all_joints() -> None:
    robot = load_robot('fr3_hand', 'left')
    assert robot.joint_names[0] == 'left_fr3_joint1'
    assert robot.hard_limits.names == robot.joint_names
    assert robot.gripper.joints == ('left_fr3_finger_joint1', 'left_fr3_finger_joint2')
    assert robot.chain == default_robot().chain


def test_a_slowed_robot_keeps_its_hard_limits() -> None:
    robot = default_robot().slowed(0.5, 0.25)
    np.testing.assert_array_equal(robot.limits.velocity, 0.5 * default_robot().limits.velocity)
    np.testing.assert_array_equal(
        robot.limits.acceleration, 0.25 * default_robot().limits.acceleration
    )
    assert robot.hard_limits is default_robot().hard_limits


# Kinematics


@every_robot
def test_agrees_with_mujoco(name: str) -> None:
    robot = load_robot(name)
    model = mujoco.MjModel.from_xml_string(arm_mjcf(robot.chain))
    data = mujoco.MjData(model)
    for q in random_angles(robot, 20):
        data.qpos[:] = q
        mujoco.mj_kinematics(model, data)
        position, rotation = flange(robot, q)
        np.testing.assert_allclose(data.site('flange').xpos, position, atol=1e-12)
        np.testing.assert_allclose(data.site('flange').xmat.reshape(3, 3), rotation, atol=1e-12)


@pytest.mark.parametrize(('name', 'kind'), [('fr3_hand', 'fr3'), ('fer_hand', 'panda')])
def test_tool_agrees_with_frankik(name: str, kind: str) -> None:
    frankik = pytest.importorskip('frankik', reason='frankik, the oracle, is not installed')
    robot, solver = load_robot(name), frankik.FrankaKinematics(robot_type=kind)
    for q in torch.from_numpy(random_angles(robot, 20)):
        expected = solver.forward(q.numpy())
        position, rotation = flange_pose(q, robot)
        np.testing.assert_allclose(
            tcp_position(position, rotation, robot), expected[:3, 3], atol=1e-9
        )
        np.testing.assert_allclose(tcp_rotation(rotation, robot), expected[:3, :3], atol=1e-9)


def test_agrees_with_the_model_of_the_simulated_cell() -> None:
    """Another author's MJCF of the same arm: mesh model, hand and all."""
    model = franka.load_robot().compile()
    data, robot = mujoco.MjData(model), load_robot('fr3_hand')
    for q in random_angles(robot, 10):
        data.qpos[:7] = q
        mujoco.mj_kinematics(model, data)
        position, rotation = flange(robot, q)
        hand = tcp_rotation(torch.from_numpy(rotation), robot).numpy()
        np.testing.assert_allclose(data.body('hand').xpos, position, atol=1e-6)
        np.testing.assert_allclose(data.body('hand').xmat.reshape(3, 3), hand, atol=1e-6)


def test_the_simulated_cell_is_the_default_robot_with_the_default_cameras() -> None:
    """The simulation imports nothing of the core, so it says these once more."""
    robot = default_robot()
    assert robot.joint_names == kinematics.ARM_JOINTS
    assert robot.gripper.joints == kinematics.FINGER_JOINTS
    assert robot.gripper.open_position == franka.FINGER_OPEN_M
    assert robot.tool.position[2] == kinematics.TCP_FROM_FLANGE_M
    assert robot.tool.rpy[2] == pytest.approx(kinematics.HAND_YAW_RAD)
    assert default_layout().views == VIEWS


def test_a_tool_may_lie_off_the_axis() -> None:
    robot = default_robot()
    bent = replace(robot, tool=replace(robot.tool, position=(0.01, -0.02, 0.1)))
    position, rotation = flange(robot, robot.home)
    tool = tcp_position(torch.from_numpy(position), torch.from_numpy(rotation), bent)
    np.testing.assert_allclose(tool, position + rotation @ [0.01, -0.02, 0.1], atol=1e-12)


@every_robot
def test_home_points_the_gripper_down_within_the_limits(name: str) -> None:
    robot = load_robot(name)
    _, rotation = flange(robot, robot.home)
    np.testing.assert_allclose(rotation[:, 2], [0, 0, -1], atol=1e-6)
    assert robot.limits.violation(robot.home) is None


@every_robot
def test_ik_follows_a_path_within_the_limits(name: str) -> None:
    robot = load_robot(name)
    position, rotation = flange(robot, robot.home)
    steps = np.array([0.02, 0.01, -0.03])
    positions = position + np.arange(1, 5)[:, None] * steps
    angles = IkSolver(robot).track(robot.home, positions, np.tile(rotation, (4, 1, 1)), PERIOD_S)
    np.testing.assert_allclose(flange(robot, angles)[0], positions, atol=1e-3)
    assert robot.limits.violation(angles, np.diff(angles, axis=0, prepend=angles[:1])) is None


def test_ik_of_the_fer_respects_its_own_limits() -> None:
    """Joint 6 of the FR3 turns to 4.28 rad, that of the FER to 3.65 rad."""
    fr3, fer = default_robot(), load_robot('fer_hand')
    q = np.array(fr3.home)
    q[5] = 3.9
    assert fr3.limits.violation(q) is None
    assert 'panda_joint6 is 3.9' in (fer.limits.violation(q) or '')


# The adapter


def plan(robot: RobotModel, step_m: float) -> PlanCommand:
    """Half a second of rest, or of a motion down, from an arm at home."""
    position, rotation = flange(robot, robot.home)
    positions = position + np.linspace(0, 1, 5)[:, None] * [0.0, 0.0, -step_m]
    quaternion = matrix_to_quaternion(torch.from_numpy(rotation)).numpy()
    return PlanCommand(1, 0.0, 0.0, PERIOD_S, positions, np.tile(quaternion, (5, 1)), np.zeros(5))


def ready(robot: RobotModel) -> ActionAdapter:
    adapter = ActionAdapter(AdapterConfig(robot=robot))
    adapter.on_joint_state(0.0, robot.joint_names, robot.home, np.zeros(7))
    return adapter


@every_robot
def test_adapter_moves_the_named_joints_within_the_hard_limits(name: str) -> None:
    robot = load_robot(name, 'left')
    command = ready(robot).on_plan(plan(robot, 0.05), 0.0)
    assert command.joint_names == robot.joint_names
    path = command.path_from(np.array(robot.home), np.zeros(7), np.zeros(7))
    assert path.violation(robot.limits) is None
    end, _ = flange(robot, path.q[-1])
    np.testing.assert_allclose(end, plan(robot, 0.05).positions[-1], atol=2e-3)


@every_robot
def test_adapter_keeps_the_tool_of_this_robot_off_the_table(name: str) -> None:
    """The same flange pose is allowed to a short tool and forbidden to a long one."""
    robot = load_robot(name)
    position, _ = flange(robot, robot.home)
    room = position[2] - robot.tool.position[2] - 0.003
    long = replace(robot, tool=replace(robot.tool, position=(0.0, 0.0, 0.4)))
    low = PlanCommand(**{**vars(plan(robot, 0.0)), 'period_s': 1.0, 'positions': np.linspace(
        position, position - [0.0, 0.0, room - 0.02], 5)})  # fmt: skip
    checker = ActionAdapter(AdapterConfig(robot=robot))._checker
    checker.check_plan(low, 0.0)
    with pytest.raises(CommandRejectedError) as caught:
        ActionAdapter(AdapterConfig(robot=long))._checker.check_plan(low, 0.0)
    assert caught.value.reason == rejection.WORKSPACE


def test_joint_states_of_another_robot_are_refused() -> None:
    adapter = ActionAdapter(AdapterConfig(robot=load_robot('fer_hand')))
    with pytest.raises(Exception, match='panda_joint1'):
        adapter.on_joint_state(0.0, default_robot().joint_names, np.zeros(7), np.zeros(7))


# Files that are wrong


def wrong_number(values: dict[str, Any]) -> None:
    values['limits']['lower'] = values['limits']['lower'][:6]


def swapped(values: dict[str, Any]) -> None:
    limits = values['hard_limits']
    limits['lower'], limits['upper'] = limits['upper'], limits['lower']


def unknown(values: dict[str, Any]) -> None:
    values['limits']['accelaration'] = values['limits'].pop('acceleration')


def not_a_number(values: dict[str, Any]) -> None:
    values['tool']['position'][2] = math.nan


def text_for_number(values: dict[str, Any]) -> None:
    values['home'][0] = '1e-3'


def beyond_hard(values: dict[str, Any]) -> None:
    values['limits']['upper'][3] = -0.1


def too_fast(values: dict[str, Any]) -> None:
    values['limits']['velocity'][0] = 3.0


def home_outside(values: dict[str, Any]) -> None:
    values['home'][3] = -3.0


def short_chain(values: dict[str, Any]) -> None:
    values['chain'].pop()


def joint_twice(values: dict[str, Any]) -> None:
    values['joints'][1] = values['joints'][0]


def no_gripper_travel(values: dict[str, Any]) -> None:
    values['gripper']['closed_position'] = values['gripper']['open_position']


def no_action(values: dict[str, Any]) -> None:
    del values['gripper']['action']


def half_braking(values: dict[str, Any]) -> None:
    del values['hard_limits']['braking']


def without_tool(values: dict[str, Any]) -> None:
    del values['tool']


def magnet(values: dict[str, Any]) -> None:
    values['gripper']['kind'] = 'magnet'


@pytest.mark.parametrize(('spoil', 'says'), [
    (wrong_number, 'limits: lower must be 7 numbers'),
    (swapped, r'hard_limits: lower \[.*must lie below upper'),
    (unknown, "limits has an unknown key 'accelaration'; did you mean acceleration"),
    (not_a_number, 'tool: position must be finite, got nan'),
    (text_for_number, "home must be numbers, got '1e-3'"),
    (beyond_hard, 'upper limits exceed the hard limits: position of fr3_joint4 is -0.1000'),
    (too_fast, 'velocity limits .* exceed the hard limits'),
    (home_outside, 'home exceeds the limits: position of fr3_joint4 is -3.0000'),
    (short_chain, 'chain of 7 joints needs 8 rows .* got 7'),
    (joint_twice, 'each once'),
    (no_gripper_travel, 'must differ, both are 0.04'),
    (no_action, "interface 'franka_hand' of the gripper needs an action"),
    (half_braking, 'braking and braking_offset come together'),
    (without_tool, 'lacks tool'),
    (magnet, "kind of the gripper is 'magnet'; it must be one of franka_hand, robotiq_2f85"),
])  # fmt: skip
def test_wrong_files_are_named(
    tmp_path: Path, spoil: Callable[[dict[str, Any]], None], says: str
) -> None:
    values = yaml.safe_load((FILES / 'fr3_hand.yaml').read_text())
    spoil(values)
    path = tmp_path / 'mine.yaml'
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(ConfigError, match=f'mine.yaml.*{says}'):
        load_robot(str(path))


@pytest.mark.parametrize(('text', 'says'), [
    ('name: a\nname: b\n', "key 'name' is written twice"),
    ('- 1\n', r'must hold keys and values, got \[1\]'),
    ('a: [1\n', 'is no YAML'),
    (None, 'cannot be read: No such file'),
], ids=['twice', 'list', 'syntax', 'missing'])  # fmt: skip
def test_files_that_are_no_mapping_are_named(tmp_path: Path, text: str | None, says: str) -> None:
    path = tmp_path / 'mine.yaml'
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=f'mine.yaml.*{says}'):
        load_robot(str(path))


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"'fr4'.*fer_hand, fr3_hand, fr3_robotiq, or the path"):
        load_robot('fr4')
