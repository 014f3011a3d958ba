# SPDX-License-Identifier: Apache-2.0
"""Whatever order of transitions, and whatever fails: the arm rests and the adapter comes back."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('vidplan_msgs.msg', reason='needs the built workspace')

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState

from tests.vidplan.robots.test_adapter_node import Bench
from tests.vidplan.robots.test_adapter_node import bench as bench
from vidplan.ros import qos
from vidplan_msgs.msg import AdapterStatus

pytestmark = pytest.mark.ros

STEPS = 'configure', 'activate', 'deactivate', 'cleanup'


def ask(bench: Bench, label: str) -> bool:
    """Ask as `ros2 lifecycle set` does."""
    request = ChangeState.Request(transition=Transition(label=label))
    return bench.ros.call(ChangeState, 'adapter/change_state', request).success


def fails_once(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
    """Let a method raise what nobody expects, the next time that it is called."""
    real: Callable[..., Any] = getattr(owner, name)

    def broken(*args: Any, **options: Any) -> Any:
        setattr(owner, name, real)
        raise ZeroDivisionError('by zero')

    monkeypatch.setattr(owner, name, broken)


def assert_works(bench: Bench) -> None:
    bench.send(bench.plan())
    bench.until(lambda status: status.state == AdapterStatus.EXECUTING)
    assert bench.status.error_code == AdapterStatus.NONE
    bench.until(lambda status: status.state == AdapterStatus.HOLDING)


@pytest.mark.parametrize('seed', range(3))
@pytest.mark.fault('transition')
def test_the_adapter_survives_any_order(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    draw = random.Random(seed)
    bench.start_moving()
    for _ in range(8):
        if draw.random() < 0.3:
            fails_once(monkeypatch, bench.adapter._intake.gate, 'reset')
        ask(bench, draw.choice(STEPS))
    bench.ros.spin_for(0.6)
    if bench.adapter.state != 'active':
        assert np.abs(bench.arm.state[1]).max() < 1e-6
    for label in ('deactivate', 'cleanup', 'configure', 'activate'):
        monkeypatch.undo()
        ask(bench, label)
    assert bench.adapter.state == 'active'
    assert_works(bench)


@pytest.mark.parametrize(('owner', 'name'), [
    ('_side', 'poll'), ('_joints', 'take'), ('_intake', '_writers'), ('_clock_watch', 'step'),
])  # fmt: skip
@pytest.mark.fault('callback_fails')
def test_an_exception_in_a_callback_brings_the_arm_to_rest(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, owner: str, name: str
) -> None:
    diagnostics = bench.ros.collect(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    bench.start_moving()
    fails_once(monkeypatch, getattr(bench.adapter, owner), name)
    if name == '_writers':  # of a plan: refused, the arm braked, the adapter goes on
        bench.send(bench.plan())
    bench.until(lambda status: status.error_code == AdapterStatus.INTERNAL)
    assert 'ZeroDivisionError: by zero' in bench.status.error_msg
    bench.assert_rest_follows()
    if name == '_writers':
        return
    assert bench.adapter.state == 'unconfigured'
    bench.until(lambda status: status.state == AdapterStatus.FAULT)
    bench.ros.spin_until(lambda: any(
        status.level == DiagnosticStatus.ERROR and 'INTERNAL: ZeroDivisionError' in status.message
        for array in diagnostics for status in array.status
    ))  # fmt: skip
    # It stays so until somebody looks, and then takes plans again.
    sent = len(bench.arm.trajectories)
    bench.send(bench.plan())
    bench.ros.spin_for(0.3)
    assert len(bench.arm.trajectories) == sent
    assert ask(bench, 'configure')
    assert ask(bench, 'activate')
    bench.until(lambda status: status.error_code == AdapterStatus.NONE)
    assert_works(bench)


@pytest.mark.fault('adapter_ends')
def test_the_process_ends_when_it_is_shut_down(ros: Any) -> None:
    words = ('--ros-args', '-p', 'gripper_backend:=topic')
    command = [sys.executable, '-m', 'vidplan.robots.adapter_node', *words]
    process = subprocess.Popen(command, env=os.environ)
    try:
        client = ros.node.create_client(ChangeState, 'adapter/change_state')
        ros.spin_until(client.service_is_ready, 90.0)
        # Its answer is lost where it ends before the middleware has found who asked.
        client.call_async(ChangeState.Request(transition=Transition(label='shutdown')))
        assert process.wait(60.0) == 0
    finally:
        process.kill()
        process.wait()
