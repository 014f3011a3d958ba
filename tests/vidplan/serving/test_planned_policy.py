# SPDX-License-Identifier: Apache-2.0
"""VidPlan behind the protocol: a client in the cell, both dialects, and what is asked wrongly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.request import urlopen

import numpy as np
import pytest
from websockets.sync.client import ClientConnection, connect

from tests.fakes.fake_world import OracleSystem
from tests.vidplan.serving.benchmark_client import ask, execute, look
from vidplan.serving.planned_policy import PlannedPolicy, ServedPace, ServedSight
from vidplan_core.errors import ConfigError
from vidplan_core.geometry.camera_files import default_layout
from vidplan_core.geometry.robot_files import default_robot
from vidplan_core.policy_server.server import PolicyServer
from vidplan_core.policy_server.wire import unpack
from vidplan_sim.cell import Cell
from vidplan_sim.scene import random_scene

GOAL = np.array([0.45, 0.1, 0.35])  # of the flange
UNIT_RAD_S = 1.5
PROMPT = 'move to the carrot'


@pytest.fixture(scope='module')
def the_cell() -> Iterator[Cell]:
    cell = Cell(48, 80)
    yield cell
    cell.close()


@pytest.fixture
def cell(the_cell: Cell) -> Cell:
    the_cell.reset(random_scene(700_001, count=2))
    return the_cell


@contextmanager
def served(
    system: Any = None, **pace: Any
) -> Iterator[tuple[ClientConnection, PlannedPolicy, PolicyServer]]:
    sight = ServedSight(default_layout().resized(24, 40), 0.2, (1, 0))
    settings = ServedPace(**{'unit_rad_s': UNIT_RAD_S, **pace})
    policy = PlannedPolicy(system or OracleSystem(GOAL), sight, default_robot(), settings)
    server = PolicyServer(policy, port=0).start()
    with connect(server.url, max_size=None) as connection:
        yield connection, policy, server
    server.close()


@pytest.mark.parametrize(
    'pace',
    [{}, {'action_space': 'joint_position'}, {'commands': 10, 'executed': 3}],
    ids=['velocities', 'positions', 'few of many'],
)
def test_a_client_brings_the_arm_to_the_goal(cell: Cell, pace: dict[str, Any]) -> None:
    unit = None if 'action_space' in pace else UNIT_RAD_S
    executed = pace.get('executed', 6)
    system = OracleSystem(GOAL)
    with served(system, **pace) as (connection, _, _):
        greeting = unpack(connection.recv())
        assert greeting['action_space'] == pace.get('action_space', 'joint_velocity')
        for _ in range(30):
            answer = ask(connection, look(cell, PROMPT))
            actions = answer['actions']
            assert actions.shape == (pace.get('commands', 6), 8)
            assert actions.dtype == np.float32
            assert answer['error'] == ''
            if answer['done']:
                break
            execute(cell, actions[:executed], unit)
    position, _ = cell.flange_pose()
    assert answer['done']
    assert float(np.linalg.norm(position - GOAL)) < 0.012
    assert answer['server_timing']['infer_ms'] > 0.0
    # The clock of an episode goes on by what is executed.
    np.testing.assert_allclose(np.diff(system.planned), executed / 15.0, atol=1e-5)


def test_an_arm_that_was_moved_is_planned_for_from_where_it_is(cell: Cell) -> None:
    with served() as (connection, _, _):
        connection.recv()
        for _ in range(2):
            execute(cell, ask(connection, look(cell, PROMPT))['actions'], UNIT_RAD_S)
        elsewhere = cell.q + 0.15
        actions = ask(connection, {**look(cell, PROMPT), 'observation/joint_position': elsewhere})
    assert actions['error'] == ''
    assert float(np.abs(actions['actions'][0, :7]).max()) < 0.2  # it does not jump back


class Refuses(OracleSystem):
    """Plans a chunk that leaves the table's box."""

    def _result(self, *args: Any) -> Any:
        result = super()._result(*args)
        result.chunk.position[0, 1:, 2] -= 0.9
        result.candidates.position[:, 1:, 2] -= 0.9
        return result


def test_what_the_checks_refuse_is_not_commanded(cell: Cell) -> None:
    with served(Refuses(GOAL)) as (connection, _, _):
        connection.recv()
        answer = ask(connection, look(cell, PROMPT))
    assert not answer['actions'][:, :7].any()
    assert answer['notes']


def test_a_task_that_cannot_be_done_is_answered_by_standing_still(cell: Cell) -> None:
    with served() as (connection, _, _):
        connection.recv()
        answer = ask(connection, look(cell, 'move to the unicorn'))
        assert answer['error'].startswith("TARGET_NOT_FOUND: no view shows 'unicorn'")
        np.testing.assert_allclose(answer['actions'][:, :7], 0.0, atol=1e-3)
        assert ask(connection, look(cell, PROMPT))['error'] == ''  # another instruction


def test_another_instruction_begins_anew(cell: Cell) -> None:
    system = OracleSystem(GOAL, visible=())
    with served(system) as (connection, _, _):
        connection.recv()
        for prompt in (PROMPT, PROMPT, 'move to the fish'):
            ask(connection, look(cell, prompt))
    assert system.planned == [10.0, 10.4, 10.0]


def test_roboarena_is_spoken_too(cell: Cell) -> None:
    six = {
        'image_resolution': [24, 40], 'needs_wrist_camera': True, 'n_external_cameras': 2,
        'needs_stereo_camera': False, 'needs_session_id': False,
        'action_space': 'joint_position',
    }  # fmt: skip
    system = OracleSystem(GOAL)
    with served(system, action_space='joint_position') as (connection, _, _):
        assert unpack(connection.recv()) == six
        message = look(cell, PROMPT)
        for old in ('1', '2'):
            key = 'observation/exterior_image_{}_left'
            message[key.format(int(old) - 1)] = message.pop(key.format(old))
        actions = ask(connection, {'endpoint': 'infer', **message})
        assert isinstance(actions, np.ndarray)
        assert actions.shape == (6, 8)
        assert ask(connection, {'endpoint': 'reset'}) == 'reset successful'
        ask(connection, {'endpoint': 'infer', **message})
    assert system.planned == [10.0, 10.0]


WRONG = {
    'no wrist picture': {'observation/wrist_image_left': None},
    'one exterior picture': {'observation/exterior_image_2_left': None},
    'six joints': {'observation/joint_position': np.zeros(6)},
    'degrees': {'observation/joint_position': np.full(7, 90.0)},
}


@pytest.mark.parametrize('changes', WRONG.values(), ids=WRONG)
def test_a_wrong_request_is_answered_in_words_and_the_next_is_served(
    cell: Cell, changes: dict[str, Any]
) -> None:
    with served() as (connection, _, _):
        connection.recv()
        message = {k: v for k, v in {**look(cell, PROMPT), **changes}.items() if v is not None}
        assert ask(connection, message).startswith('INVALID_OBSERVATION: ')
        assert 'actions' in ask(connection, look(cell, PROMPT))


def test_bytes_that_are_no_message_are_answered_in_words(cell: Cell) -> None:
    with served() as (connection, _, _):
        connection.recv()
        for data in (b'\xc1', b'\x90', 'words'):
            connection.send(data)
            assert connection.recv().startswith('POLICY_SERVER_FAILED: MALFORMED: ')
        assert 'actions' in ask(connection, look(cell, PROMPT))


def test_a_defect_ends_its_own_connection_only(
    cell: Cell, caplog: pytest.LogCaptureFixture
) -> None:
    system = OracleSystem(GOAL, error=ZeroDivisionError('oops'))
    with served(system) as (connection, _, server):
        connection.recv()
        ask(connection, look(cell, PROMPT))
        with pytest.raises(Exception, match='1011'):
            ask(connection, look(cell, PROMPT))
        assert 'oops' in caplog.text
        with connect(server.url, max_size=None) as another:
            another.recv()
            assert 'actions' in ask(another, look(cell, PROMPT))


def test_health_is_told_and_a_port_is_had_once() -> None:
    with served() as (_, policy, server):
        url = server.url.replace('ws://', 'http://')
        assert urlopen(f'{url}/healthz', timeout=10.0).read() == b'OK\n'
        assert server.url.startswith('ws://127.0.0.1:')
        with pytest.raises(ConfigError, match='cannot serve on 127.0.0.1'):
            PolicyServer(policy, port=int(server.url.rpartition(':')[2]))


@pytest.mark.parametrize(
    'pace', [{'commands': 4, 'executed': 5}, {'executed': 0}, {'action_space': 'torque'}]
)
def test_an_impossible_pace_is_refused(pace: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match='allowed: joint_velocity or joint_position'):
        ServedPace(**pace)
