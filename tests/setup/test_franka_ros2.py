# SPDX-License-Identifier: Apache-2.0
"""Every name of Franka's driver that we use, against what that driver has: franka_ros2 v3.4.0.

Read on 2026-11-22 in its branch jazzy (29cb85a), in ros2_control and ros2_robotiq_gripper.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from vidplan_core.geometry.robot_files import load_robot

ROOT = Path(__file__).resolve().parents[2]

# franka_bringup/launch/franka.launch.py
LAUNCH_ARGUMENTS = {
    'robot_type', 'arm_prefix', 'namespace', 'robot_ip', 'load_gripper', 'use_fake_hardware',
    'fake_sensor_commands', 'joint_state_rate', 'load_franka_robot_state_broadcaster',
    'controllers_yaml',
}  # fmt: skip
# Without a namespace. The merged /joint_states has 30 Hz: nothing that moves an arm may use it.
TOPICS = {
    'franka/joint_states', 'franka_gripper/joint_states',
    'franka_robot_state_broadcaster/robot_state',
    'fr3_arm_controller/joint_trajectory', 'fr3_arm_controller/controller_state',
}  # fmt: skip
SERVICES = {
    'controller_manager/set_hardware_component_state', 'controller_manager/switch_controller',
    'controller_manager/list_controllers',
}  # fmt: skip
ACTIONS = {
    'action_server/error_recovery', 'fr3_arm_controller/follow_joint_trajectory',
    'franka_gripper/move', 'franka_gripper/grasp', 'franka_gripper/homing',
    'franka_gripper/gripper_action', 'robotiq_gripper_controller/gripper_cmd',
}  # fmt: skip
CONTROLLERS = {
    'joint_state_broadcaster': 'joint_state_broadcaster/JointStateBroadcaster',
    'franka_robot_state_broadcaster':
        'franka_robot_state_broadcaster/FrankaRobotStateBroadcaster',
    'fr3_arm_controller': 'joint_trajectory_controller/JointTrajectoryController',
}  # fmt: skip
MESSAGES = {
    'franka_msgs.msg': {'FrankaRobotState', 'Errors'},
    'franka_msgs.action': {'ErrorRecovery', 'Move', 'Grasp', 'Homing', 'PTPMotion'},
    'control_msgs.action': {'FollowJointTrajectory', 'ParallelGripperCommand', 'GripperCommand'},
    'controller_manager_msgs.srv': {
        'SetHardwareComponentState', 'SwitchController', 'ListControllers'
    },
}  # fmt: skip
HARDWARE = 'FrankaHardwareInterface'
# Names of which one part alone means the driver's.
OF_THE_DRIVER = re.compile(
    r'(?<![\w/])/?((?:franka|franka_gripper|franka_robot_state_broadcaster|fr3_arm_controller'
    r'|controller_manager|action_server|service_server|robotiq_gripper_controller)'
    r'/[a-z_]+)(?![\w/])'
)


def text_of(path: str) -> str:
    return (ROOT / path).read_text(encoding='utf-8')


def compose() -> dict[str, Any]:
    return yaml.safe_load(text_of('docker/compose.yml'))['services']


def our_files() -> list[Path]:
    folders = ROOT / 'src/vidplan/vidplan', ROOT / 'config', ROOT / 'docker', ROOT / 'docs'
    kinds = '.py', '.yaml', '.yml', '.md', '.sh'
    found = [path for folder in folders for path in folder.rglob('*') if path.suffix in kinds]
    return [*found, ROOT / 'README.md']


def test_every_topic_service_and_action_is_the_drivers() -> None:
    known, used = TOPICS | SERVICES | ACTIONS, set()
    for path in our_files():
        names = set(OF_THE_DRIVER.findall(path.read_text(encoding='utf-8')))
        assert names <= known, path
        used |= names
    must = TOPICS | {'action_server/error_recovery', 'fr3_arm_controller/follow_joint_trajectory'}
    assert must <= used


def test_every_message_is_the_drivers() -> None:
    used: dict[str, set[str]] = {}
    for path in (ROOT / 'src').rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if isinstance(node, ast.ImportFrom) and (node.module or '') in MESSAGES:
                used.setdefault(str(node.module), set()).update(one.name for one in node.names)
    assert set(used) == set(MESSAGES)
    for package, names in used.items():
        assert names <= MESSAGES[package], package


def test_every_launch_argument_is_the_drivers() -> None:
    """In whatever words start franka.launch.py."""
    texts = [text_of('config/franka_controllers.yaml').replace('#', ' ')]
    texts.append(' '.join(map(str, compose()['control']['command'])))
    for text in texts:
        call = re.search(r'launch franka_bringup franka\.launch\.py((?:[\s\\]+\w+:=\S+)+)', text)
        assert call is not None
        given = set(re.findall(r'(\w+):=', call[1]))
        assert given <= LAUNCH_ARGUMENTS
        # Not its own controllers, which move by themselves; and with the hand.
        assert {'robot_type', 'robot_ip', 'controllers_yaml', 'load_gripper'} <= given


def test_every_controller_is_one_that_there_is() -> None:
    manager = yaml.safe_load(text_of('config/franka_controllers.yaml'))['/**'][
        'controller_manager'
    ]['ros__parameters']
    types = {name: one['type'] for name, one in manager.items() if 'type' in _dict(one)}
    assert types == CONTROLLERS
    assert manager['overruns']['manage'] is False
    (spawned,) = re.findall(
        r'run controller_manager spawner (\w+)', ' '.join(compose()['control']['command'])
    )
    assert spawned in CONTROLLERS


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def test_what_the_planning_machine_listens_to_is_what_the_control_machine_says() -> None:
    words = compose()['planning']['command']
    given = dict(re.findall(r'(\w+):=(\S+)', words))
    assert given['joint_states'].strip('/') == 'franka/joint_states'
    assert given['gripper_states'].strip('/') == 'franka_gripper/joint_states'
    own = given['params_file'].removeprefix('/vidplan/')
    assert 'watch_robot_state: true' in text_of(own)
    # These ask for messages that no package of Jazzy brings.
    dockerfile = text_of('docker/Dockerfile')
    assert '--packages-select franka_msgs' in dockerfile
    assert '/opt/franka/install/setup.bash' in text_of('docker/entrypoint.sh')
    for image in ('Dockerfile', 'control.Dockerfile'):
        found = text_of(f'docker/{image}')
        assert 'FRANKA_ROS2=v3.4.0' in found
        assert 'FRANKA_ROS2_COMMIT=29cb85a' in found


@pytest.mark.parametrize(
    ('robot', 'interface', 'action', 'joints'),
    [
        ('fr3_hand', 'franka_hand', 'franka_gripper', ('fr3_finger_joint1', 'fr3_finger_joint2')),
        (
            'fr3_robotiq', 'robotiq', 'robotiq_gripper_controller/gripper_cmd',
            ('robotiq_85_left_knuckle_joint',),
        ),
    ],
)  # fmt: skip
def test_grippers(robot: str, interface: str, action: str, joints: tuple[str, ...]) -> None:
    gripper = load_robot(robot).gripper
    assert (gripper.interface, gripper.action) == (interface, action)
    assert tuple(gripper.joints) == joints


def test_the_hardware_component_is_the_drivers() -> None:
    planning = text_of('config/planning.yaml')
    assert re.search(rf'hardware_component: [\'"]?{HARDWARE}\b', planning)
