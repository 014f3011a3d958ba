# SPDX-License-Identifier: Apache-2.0
"""Who has no key is neither heard nor answered by an adapter that has one, in real processes.

It needs a Fast DDS with security and `ros2 security`, as the image in docker/ has them;
docs/robot.md says how it runs there.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('vidplan_msgs.msg', reason='needs the built workspace')

import rclpy
from rcl_interfaces.srv import SetParameters
from rclpy.context import Context
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter

from vidplan.bringup.security import OPERATOR
from vidplan.cli.main import main
from vidplan.ros import qos
from vidplan_msgs.msg import AdapterStatus, Plan

pytestmark = pytest.mark.ros

#: How long the adapter has until it answers somebody, and how long a stranger tries, s.
START_S, TRY_S = 15.0, 3.0
#: A call is made again after this long: the first ones come before discovery, s.
AGAIN_S = 0.5
PLAN_ID = 7
ADAPTER = (
    sys.executable, '-m', 'vidplan.robots.adapter_node',
    '--ros-args', '-p', 'gripper_backend:=topic',
)  # fmt: skip
NODE = 'import rclpy; rclpy.init(); rclpy.create_node("keyless")'


def secured(keystore: Path, enclave: str) -> dict[str, str]:
    """Variables that make a process keep to an enclave of a keystore."""
    return {
        'ROS_SECURITY_ENABLE': 'true',
        'ROS_SECURITY_STRATEGY': 'Enforce',
        'ROS_SECURITY_KEYSTORE': str(keystore),
        'ROS_SECURITY_ENCLAVE_OVERRIDE': enclave,
    }


def missing(folder: Path) -> str:
    """What this machine lacks, by a node that is to enforce security without a key; '' nothing."""
    (folder / 'enclaves/keyless').mkdir(parents=True)
    ended = subprocess.run(
        [sys.executable, '-c', NODE], env={**os.environ, **secured(folder, '/keyless')},
        capture_output=True, text=True, timeout=60.0,
    )  # fmt: skip
    assert ended.returncode, 'a node without a key has started'
    if "doesn't have the security libraries" in ended.stderr:
        return 'the Fast DDS of the wheels is built without security'
    if find_spec('sros2') is None:
        return 'nothing makes keys: `ros2 security` is missing (ros-jazzy-sros2)'
    return ''


@pytest.fixture
def keystore(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Keys, by the commands that `vidplan security init` prints."""
    if lack := missing(tmp_path / 'empty'):
        pytest.skip(lack)
    assert main(['security', 'init', str(tmp_path)]) == 0
    for line in capsys.readouterr().out.splitlines():
        if line.startswith('  ros2 security'):
            subprocess.run(shlex.split(line), check=True, capture_output=True, timeout=120.0)
    return tmp_path / 'keystore'


@pytest.fixture
def log(keystore: Path, tmp_path: Path) -> Iterator[Path]:
    """What an adapter in its enclave says."""
    path = tmp_path / 'adapter.log'
    environment = {**os.environ, **secured(keystore, '/vidplan/adapter')}
    with path.open('w') as file:
        process = subprocess.Popen(ADAPTER, env=environment, stdout=file, stderr=file)
    yield path
    process.kill()
    process.wait()


@pytest.fixture
def operator(keystore: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    """A node with an operator's key, in this process, which has none else."""
    context = Context()
    with monkeypatch.context() as patch:
        for name, value in secured(keystore, f'/vidplan/{OPERATOR}').items():
            patch.setenv(name, value)
        rclpy.init(context=context)
        node = Node(OPERATOR, context=context)
    yield node
    node.destroy_node()
    rclpy.try_shutdown(context=context)


def is_answered(node: Node, executor: Executor, timeout_s: float) -> bool:
    """Ask for a change of a parameter, again and again, until somebody answers."""
    client = node.create_client(SetParameters, '/adapter/set_parameters')
    change = [Parameter('dry_run', value=True).to_parameter_msg()]
    end_s = time.monotonic() + timeout_s
    while time.monotonic() < end_s:
        asked = client.call_async(SetParameters.Request(parameters=change))
        rclpy.spin_until_future_complete(node, asked, executor, AGAIN_S)
        if asked.done():
            return True
    return False


def test_a_process_without_a_key_is_neither_heard_nor_answered(
    ros: Any, log: Path, operator: Node
) -> None:
    executor = SingleThreadedExecutor(context=operator.context)
    executor.add_node(operator)
    overheard = ros.collect(AdapterStatus, 'adapter/status', qos.LATCHED)
    plans = ros.node.create_publisher(Plan, 'plan', qos.COMMAND)
    ros.node.create_timer(AGAIN_S, lambda: plans.publish(Plan(plan_id=PLAN_ID)))

    assert is_answered(operator, executor, START_S), log.read_text()
    assert not is_answered(ros.node, ros.executor, TRY_S)
    assert plans.get_subscription_count() == 0
    assert f'plan {PLAN_ID}' not in log.read_text()
    assert not overheard
