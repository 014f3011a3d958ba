# SPDX-License-Identifier: Apache-2.0
"""The client against servers that behave well, badly, slowly, or die: in time and by name."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.fakes.policy_servers import Script, answer, chunk, scripted
from vidplan_core.errors import PolicyServerError
from vidplan_core.policy_server.client import PolicyClient
from vidplan_core.policy_server.config import PolicyServerConfig
from vidplan_core.policy_server.droid import request
from vidplan_core.policy_server.wire import pack

GOOD = chunk()


def ask(client: PolicyClient, q: float = 0.0) -> np.ndarray:
    picture = np.full((4, 4, 3), 7, np.uint8)
    pictures = {'observation/wrist_image_left': picture}
    return client.actions(request(pictures, np.full(7, q), 0.5, 'fold the towel'))


def client_of(url: str, **changes: Any) -> PolicyClient:
    settings = {'url': url, 'timeout_s': 0.4, 'connect_timeout_s': 0.4, 'retry_s': 0.01, **changes}
    return PolicyClient(PolicyServerConfig(**settings))


def reason(client: PolicyClient) -> str:
    with pytest.raises(PolicyServerError) as caught:
        ask(client)
    assert caught.value.code == 'POLICY_SERVER_FAILED'
    assert str(caught.value).startswith(f'{caught.value.reason}: ')
    return caught.value.reason


def test_asks_and_is_answered() -> None:
    greeting = pack({'robot': 'droid'})
    with scripted(lambda n, _: answer(GOOD.astype(np.float32)), greeting) as server:
        client = client_of(server.url)
        found = ask(client)
        np.testing.assert_array_equal(found, GOOD.astype(np.float32))
        ask(client, 0.1)
    assert client.metadata == {'robot': 'droid'}
    assert server.connections == 1
    (first, second) = server.asked
    assert first['prompt'] == 'fold the towel'
    assert first['observation/wrist_image_left'].shape == (4, 4, 3)
    assert first['observation/joint_position'].dtype == np.float64
    assert first['observation/gripper_position'].tolist() == [0.5]
    assert second['observation/joint_position'].tolist() == [0.1] * 7


def slow(seconds: float) -> Script:
    def script(number: int, message: dict[str, Any]) -> bytes:
        time.sleep(seconds)
        return answer(GOOD)

    return script


def dies(number: int, message: dict[str, Any]) -> None:
    raise ConnectionAbortedError


def values(actions: Any) -> Script:
    return lambda number, message: pack({'actions': actions})


FAULTS: dict[str, tuple[Script, str]] = {
    'never answers': (lambda *_: None, 'SILENT'),
    'slow': (slow(1.0), 'SILENT'),
    'dies': (dies, 'UNREACHABLE'),
    'words': (lambda *_: 'Traceback ... KeyError: prompt', 'REFUSED'),
    'no message': (lambda *_: b'\xc1\x00', 'MALFORMED'),
    'a list': (lambda *_: pack([1, 2]), 'MALFORMED'),
    'no actions': (lambda *_: pack({'action': GOOD}), 'MALFORMED'),
    'a list of numbers': (values(GOOD.tolist()), 'MALFORMED'),
    'seven columns': (values(GOOD[:, :7]), 'MALFORMED'),
    'one dimension': (values(GOOD[0]), 'MALFORMED'),
    'a batch': (values(GOOD[None]), 'MALFORMED'),
    'no commands': (values(GOOD[:0]), 'MALFORMED'),
    'too many commands': (values(np.zeros((1001, 8))), 'MALFORMED'),
    'not a number': (values(np.full((15, 8), np.nan)), 'MALFORMED'),
    'infinite': (values(np.full((15, 8), -np.inf)), 'MALFORMED'),
}


@pytest.mark.parametrize(('script', 'why'), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_named_in_time_and_forgotten_when_it_is_over(script: Script, why: str) -> None:
    broken = threading.Event()
    broken.set()

    def once(number: int, message: dict[str, Any]) -> bytes | str | None:
        return script(number, message) if broken.is_set() else answer(GOOD)

    with scripted(once) as server:
        client = client_of(server.url)
        began_s = time.monotonic()
        assert reason(client) == why
        assert time.monotonic() - began_s < 2.0
        broken.clear()
        time.sleep(0.05)
        np.testing.assert_array_equal(ask(client), GOOD)
        assert server.connections == 2


def test_a_late_answer_is_never_taken_for_the_next_one() -> None:
    def script(number: int, message: dict[str, Any]) -> bytes:
        time.sleep(0.6 if number == 0 else 0.0)
        return answer(chunk(joint=number))

    with scripted(script) as server:
        client = client_of(server.url)
        assert reason(client) == 'SILENT'
        time.sleep(0.4)
        np.testing.assert_array_equal(ask(client), chunk(joint=1))


@pytest.mark.parametrize(
    ('greeting', 'why'), [(None, 'SILENT'), (b'\xc1', 'MALFORMED'), (b'\x90', 'MALFORMED')]
)
def test_a_wrong_greeting_is_named(greeting: bytes | None, why: str) -> None:
    with scripted(lambda *_: answer(GOOD), greeting) as server:
        client = client_of(server.url)
        with pytest.raises(PolicyServerError, match=why):
            ask(client)


def with_listener(use: Callable[[PolicyClient], None], **changes: Any) -> None:
    """A client of a socket that takes connections and says nothing."""
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        listener.listen()
        use(client_of(f'ws://127.0.0.1:{listener.getsockname()[1]}', **changes))


def test_what_takes_connections_and_hangs_is_silent() -> None:
    def use(client: PolicyClient) -> None:
        assert reason(client) == 'SILENT'

    with_listener(use)


def test_nobody_there_is_named_and_not_asked_at_once(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        url = f'ws://127.0.0.1:{free.getsockname()[1]}'
    now_s = [0.0]
    config = PolicyServerConfig(url=url, retry_s=1.0)
    client = PolicyClient(config, lambda: now_s[0])
    found = []
    with caplog.at_level(logging.WARNING):
        for now_s[0] in (0.0, 0.9, 1.1, 2.9, 3.2, 7.1, 7.3):
            with pytest.raises(PolicyServerError) as caught:
                ask(client)
            found.append(caught.value.reason)
    gone, wait = 'UNREACHABLE', 'WAITING'
    assert found == [gone, wait, gone, wait, gone, wait, gone]
    assert len(caplog.records) == 1  # not once a cycle
    assert 'UNREACHABLE' in caplog.text


def test_the_same_answer_is_believed_a_few_times_only_while_the_arm_moves() -> None:
    with scripted(lambda *_: answer(GOOD)) as server:
        client = client_of(server.url, max_repeats=3)
        for number in range(6):
            ask(client, q=0.001 * number)  # it does not move
        for number in range(2):
            ask(client, q=0.1 * (number + 1))
        with pytest.raises(PolicyServerError, match='STALE: .* gave one answer'):
            ask(client, q=0.3)


def test_standing_still_is_never_stale() -> None:
    with scripted(lambda *_: answer(np.zeros((10, 8)))) as server:
        client = client_of(server.url, max_repeats=1)
        assert not any(ask(client, q=0.1 * number).any() for number in range(5))


def test_a_client_that_is_gone_leaves_no_connection() -> None:
    with scripted(lambda *_: answer(GOOD)) as server:
        client = client_of(server.url)
        ask(client)
        listening = client._held[0].recv_events_thread
        assert listening.is_alive()
        del client
        listening.join(5.0)
        assert not listening.is_alive()
