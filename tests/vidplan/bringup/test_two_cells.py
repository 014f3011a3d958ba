# SPDX-License-Identifier: Apache-2.0
"""Two cells in two namespaces at once, each a `vidplan up` or a launch of its own; a stranger.

The tests follow each other on the same two cells: one moves, the other must not notice.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('vidplan_msgs.msg', reason='needs the built workspace')
pytest.importorskip('mujoco', reason='needs the simulated cell')

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState

from tests.fakes.ros_harness import DISCOVERY_S, Harness, wait_for_silence
from tests.vidplan.bringup.moving.graph import REPOSITORY, python_path
from vidplan.ros import qos
from vidplan_msgs.action import PlanTask
from vidplan_msgs.msg import AdapterStatus, Plan

pytestmark = [pytest.mark.ros, pytest.mark.slow]

START_S = 240.0
MOVING_RAD_S, RESTING_RAD_S = 0.05, 0.005
TRIES = 5
#: Real time factors: each cell has a clock of its own.
FACTORS = {'one': 0.25, 'two': 0.2}
#: An owner's file, which counts before what nobody gave on the command line.
DRY = '/**:\n  adapter:\n    ros__parameters:\n      dry_run: true\n'


def options(given: Mapping[str, object]) -> list[str]:
    """Words of `vidplan up`."""
    words = (f'--{name.replace("_", "-")}={value}' for name, value in given.items())
    return ['--cell', *words]


WORDS = {
    'up': options,
    'launched': lambda given: [f'{name}:={value}' for name, value in given.items()],
}


class CellSeen:
    """One of the cells: its process, and what it says."""

    def __init__(self, ros: Harness, starter: str, name: str, folder: Path) -> None:
        self.name, self.starter, self._ros = name, starter, ros
        self.ended: Any = None
        self.log = folder / f'{name}.log'
        parameters = folder / f'{name}.yaml'
        parameters.write_text(DRY if name == 'two' else '{}')
        given = {
            'namespace': name,
            'real_time_factor': FACTORS[name],
            'params_file': parameters,
        }
        self.process = subprocess.Popen(
            [sys.executable, '-m', f'tests.vidplan.bringup.moving.{starter}',
             *WORDS[starter](given)],
            stdout=self.log.open('w'), stderr=subprocess.STDOUT, cwd=REPOSITORY,
            env={**os.environ, 'PYTHONPATH': python_path()},
        )  # fmt: skip
        self.joints = ros.collect(JointState, f'/{name}/joint_states', qos.SENSOR)
        self.status = ros.collect(AdapterStatus, f'/{name}/adapter/status', qos.LATCHED)
        self.clock = ros.collect(Clock, f'/{name}/clock')
        self._diagnostics = ros.collect(
            DiagnosticArray, f'/{name}/diagnostics', qos.DIAGNOSTICS
        )

    def wait(self, condition: Any, timeout_s: float = 60.0) -> Any:
        try:
            return self._ros.spin_until(condition, timeout_s)
        except AssertionError:
            raise AssertionError(self.log.read_text()[-4000:]) from None

    def is_ready(self) -> bool:
        levels = {s.name: s.level for array in self._diagnostics[-30:] for s in array.status}
        return levels.get('planner: planning') == DiagnosticStatus.OK

    def speed(self) -> float:
        return float(np.abs(self.joints[-1].velocity).max())

    def q(self) -> np.ndarray:
        return np.array(self.joints[-1].position)

    def call(self, kind: type, name: str, request: Any) -> Any:
        return self._ros.call(kind, f'/{self.name}/{name}', request)

    def goal(self) -> Any:
        client = self._ros.action_client(PlanTask, f'/{self.name}/plan_task', DISCOVERY_S)
        sent = client.send_goal_async(
            PlanTask.Goal(instruction='move to the carrot', time_limit_s=600.0)
        )
        self.wait(sent.done)
        self.ended = sent.result().get_result_async()
        return sent.result()

    def move(self) -> None:
        """Have the arm move; a goal that a busy machine has ended is sent again."""
        for _ in range(TRIES):
            if self.ended is None or self.ended.done():
                self.goal()
            self.wait(lambda: self.speed() > MOVING_RAD_S or self.ended.done())
            if not self.ended.done():
                return
        raise AssertionError(self.log.read_text()[-4000:])


class Cells:
    """Both, and who looks at them."""

    def __init__(self, starter: str, folder: Path) -> None:
        self.ros = Harness()
        self.one, self.two = (CellSeen(self.ros, starter, name, folder) for name in FACTORS)

    def __iter__(self) -> Iterator[CellSeen]:
        return iter((self.one, self.two))


@pytest.fixture(scope='module', params=['up', 'launched'])
def cells(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Cells]:
    if request.param == 'launched':
        pytest.importorskip('launch_ros', reason='launch is not installed')
    wait_for_silence()
    rclpy.init()
    made = Cells(request.param, tmp_path_factory.mktemp('cells'))
    try:
        for cell in made:
            cell.wait(cell.is_ready, START_S)
        yield made
    finally:
        for cell in made:
            cell.process.terminate()
            cell.process.wait(timeout=120)
        made.ros.close()
        rclpy.try_shutdown()


@pytest.fixture
def goal(cells: Cells) -> None:
    """The arm of the first cell moves."""
    cells.one.move()


def seconds(clock: Clock) -> float:
    return clock.clock.sec + 1e-9 * clock.clock.nanosec


def test_nothing_is_outside_of_the_namespaces(cells: Cells) -> None:
    outside = {'/rosout', '/parameter_events'}
    topics = {name for name, _ in cells.ros.node.get_topic_names_and_types()}
    assert not {t for t in topics - outside if not t.startswith(('/one/', '/two/'))}


def test_each_has_its_own_time(cells: Cells) -> None:
    for cell in cells:
        del cell.clock[:-1]
    cells.ros.spin_until(lambda: all(seconds(c.clock[-1]) > seconds(c.clock[0]) for c in cells))
    for cell in cells:
        stamps = [seconds(clock) for clock in cell.clock]
        assert stamps == sorted(stamps)


def test_one_arm_moves_and_the_other_rests(cells: Cells, goal: None) -> None:
    before, two = cells.two.q(), cells.two
    del two.joints[:-1]
    cells.one.wait(lambda: len(two.joints) > 100)
    assert max(np.abs(state.velocity).max() for state in two.joints) < RESTING_RAD_S
    np.testing.assert_allclose(two.q(), before, atol=1e-3)
    assert two.status[-1].active_plan_id == 0


def test_the_owners_file_counts_before_what_nobody_gave(cells: Cells) -> None:
    before = cells.two.q()
    handle = cells.two.goal()
    cells.two.wait(lambda: cells.two.status[-1].active_plan_id > 0)
    handle.cancel_goal_async()
    cells.two.wait(handle.get_result_async().done)
    np.testing.assert_allclose(cells.two.q(), before, atol=1e-3)


@pytest.mark.fault('plan_stranger')
def test_a_plan_of_a_stranger_is_refused(cells: Cells, goal: None) -> None:
    plans = cells.ros.collect(Plan, '/one/plan', qos.COMMAND)
    cells.one.wait(lambda: plans)
    stranger = cells.ros.add(Node('stranger', namespace='/one'))
    publisher = stranger.create_publisher(Plan, 'plan', qos.COMMAND)
    cells.ros.connect(publisher)
    plans[-1].plan_id += 2**60
    publisher.publish(plans[-1])
    found = AdapterStatus.WRONG_WRITER
    cells.one.wait(lambda: any(s.error_code == found for s in cells.one.status))
    assert max(s.active_plan_id for s in cells.one.status) < 2**60
    stranger.destroy_node()
    cells.one.move()


@pytest.mark.parametrize(('node', 'name'), [('adapter', 'dry_run'), ('adapter', 'robot')])
def test_no_stranger_changes_what_keeps_the_arm_safe(
    cells: Cells, goal: None, node: str, name: str
) -> None:
    value = ParameterValue(type=ParameterType.PARAMETER_BOOL, bool_value=True)
    request = SetParameters.Request(parameters=[Parameter(name=name, value=value)])
    (answer,) = cells.one.call(SetParameters, f'{node}/set_parameters', request).results
    assert not answer.successful
    assert name in answer.reason


def test_states_asked_for_in_any_order_stay_in_their_cell(cells: Cells, goal: None) -> None:
    for wanted in 'configure', 'deactivate', 'activate', 'cleanup', 'deactivate', 'activate':
        number = getattr(Transition, f'TRANSITION_{wanted.upper()}')
        request = ChangeState.Request(transition=Transition(id=number))
        for node in 'adapter', 'planner':
            cells.two.call(ChangeState, f'{node}/change_state', request)
    assert cells.two.process.poll() is None
    cells.one.move()


def test_sigterm_ends_one_at_rest_and_not_the_other(cells: Cells, goal: None) -> None:
    children = children_of(cells.one.process.pid)
    assert len(children) >= 4
    cells.one.process.send_signal(signal.SIGTERM)
    cells.one.wait(lambda: cells.one.process.poll() is not None, 120.0)
    cells.one.wait(lambda: not [pid for pid in children if is_alive(pid)])
    assert cells.one.status[-1].state != AdapterStatus.EXECUTING
    if cells.one.starter == 'up':  # which ends the cell last, when its arm is at rest
        assert cells.one.process.returncode == 0, cells.one.log.read_text()[-4000:]
        assert cells.one.speed() < RESTING_RAD_S
    assert cells.two.process.poll() is None
    del cells.two.joints[:-1]
    cells.two.wait(lambda: len(cells.two.joints) > 10)


def is_alive(pid: int) -> bool:
    """Whether it runs; one that nobody has collected does not."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except FileNotFoundError:
        return False


def children_of(pid: int) -> list[int]:
    words = Path(f'/proc/{pid}/task/{pid}/children').read_text().split()
    return [int(word) for word in words]
