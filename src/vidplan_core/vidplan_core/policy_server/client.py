# SPDX-License-Identifier: Apache-2.0
"""Asks a policy server within a time, and says why where that fails; never waits longer."""

from __future__ import annotations

import logging
import queue
import socket
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from vidplan_core.errors import PolicyServerError
from vidplan_core.policy_server.config import PolicyServerConfig
from vidplan_core.policy_server.droid import JOINTS, Vector, read_actions
from vidplan_core.policy_server.reasons import (
    MALFORMED,
    REFUSED,
    SILENT,
    STALE,
    UNREACHABLE,
    WAITING,
)
from vidplan_core.policy_server.wire import MAX_BYTES, pack, unpack

T = TypeVar('T')

MAX_RETRY_S = 30.0
# An arm whose joints have moved by more than this must be answered anew, rad.
MOVED_RAD = 0.02
# Longest part of a server's words that is repeated.
_WORDS = 300

_log = logging.getLogger(__name__)


class PolicyClient:
    """One connection, made when it is first needed and again after it failed.

    An answer that comes after its time is never taken for that of a later question: the
    connection is given up with it. Not for several threads at once.

    Attributes:
        metadata: what the server said of itself at the last connection.
    """

    def __init__(
        self, config: PolicyServerConfig, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        """Know a server; `now_s` is a clock that never steps."""
        self.config = config
        self.metadata: Mapping[str, Any] = {}
        self._now_s = now_s
        self._held: list[ClientConnection] = []
        self._failures, self._ask_again_s = 0, -np.inf
        self._problem = ''
        self._last: tuple[bytes, Vector, int] = b'', np.zeros(0), 0
        weakref.finalize(self, _drop, self._held)

    def actions(self, request: Mapping[str, Any]) -> Vector:
        """The commands (any number, 8) for a request of the DROID policies.

        Raises:
            PolicyServerError: there are none, for the reason that it names.
        """
        try:
            self._check_pause()
            answer = self._answer(request)
            found = read_actions(answer)
            self._check_news(found, request)
        except PolicyServerError as error:
            self._failed(error)
            raise
        self._works()
        return found

    def close(self) -> None:
        """Let go of the connection."""
        _drop(self._held)

    def _check_pause(self) -> None:
        left_s = self._ask_again_s - self._now_s()
        if left_s > 0:
            raise PolicyServerError(
                WAITING, f'{self._problem}; it is asked again in {left_s:.1f} s'
            )

    def _answer(self, request: Mapping[str, Any]) -> Any:
        url, limit_s = self.config.url, self.config.timeout_s
        if not self._held:
            self._connect()
        connection, data = self._held[0], pack(request)
        try:
            reply = _within(limit_s, lambda _: _ask(connection, data))
        except TimeoutError:
            raise PolicyServerError(SILENT, f'{url} gave no answer in {limit_s:g} s') from None
        except (OSError, WebSocketException) as error:
            raise PolicyServerError(UNREACHABLE, f'{url} went away: {error}') from error
        if isinstance(reply, str):
            raise PolicyServerError(REFUSED, f'{url} answers: {reply.strip()[-_WORDS:]}')
        return unpack(reply)

    def _connect(self) -> None:
        url, limit_s = self.config.url, self.config.connect_timeout_s
        try:
            connection, greeting = _within(limit_s, lambda late: _open(url, limit_s, late))
        except TimeoutError:
            words = f'{url} did not greet within {limit_s:g} s'
            raise PolicyServerError(SILENT, words) from None
        except (OSError, WebSocketException) as error:
            raise PolicyServerError(UNREACHABLE, f'{url} takes no connection: {error}') from error
        self._held.append(connection)
        metadata = unpack(greeting) if isinstance(greeting, bytes) else None
        if not isinstance(metadata, Mapping):
            raise PolicyServerError(MALFORMED, f'{url} greets with something else than a map')
        self.metadata = metadata

    def _check_news(self, found: Vector, request: Mapping[str, Any]) -> None:
        """Raise where one answer came again and again while the arm moved."""
        data, q = found.tobytes(), np.asarray(request[JOINTS], np.float64)
        last, since, repeats = self._last
        if data != last or not found.any():
            self._last = data, q, 0
            return
        moved = float(np.abs(q - since).max()) > MOVED_RAD
        self._last = last, since, repeats + moved
        if self._last[2] >= self.config.max_repeats:
            self._last = b'', q, 0
            raise PolicyServerError(
                STALE,
                f'{self.config.url} gave one answer {repeats + 2} times while the arm moved',
            )

    def _failed(self, error: PolicyServerError) -> None:
        if error.reason == WAITING:
            return
        self.close()
        pause_s = min(self.config.retry_s * 2.0**self._failures, MAX_RETRY_S)
        self._failures, self._ask_again_s = self._failures + 1, self._now_s() + pause_s
        if not self._problem:
            _log.warning('policy server %s: %s', self.config.url, error)
        self._problem = str(error)

    def _works(self) -> None:
        if self._problem:
            _log.warning('policy server %s answers again', self.config.url)
        self._failures, self._problem = 0, ''


def _open(url: str, limit_s: float, late: threading.Event) -> tuple[ClientConnection, Any]:
    """Connect and take the greeting; a connection that nobody waits for any more is dropped."""
    # No ping: servers compute in the thread that would answer it; the time of an answer counts.
    connection = connect(
        url, compression=None, max_size=MAX_BYTES, open_timeout=limit_s, close_timeout=limit_s,
        ping_interval=None, proxy=None,
    )  # fmt: skip
    try:
        return connection, connection.recv(timeout=limit_s)
    except BaseException:
        _drop([connection])
        raise
    finally:
        if late.is_set():
            _drop([connection])


def _ask(connection: ClientConnection, data: bytes) -> str | bytes:
    connection.send(data)
    return connection.recv()


def _drop(held: list[ClientConnection]) -> None:
    """Cut connections at once; a server that hangs would not answer a farewell."""
    while held:
        try:
            held.pop().socket.shutdown(socket.SHUT_RDWR)
        except OSError:  # it is cut already
            continue


def _within(limit_s: float, work: Callable[[threading.Event], T]) -> T:
    """The result of work that may block anywhere; raises TimeoutError after the limit.

    The work is given an event that is set when nobody waits for it any more.
    """
    late, box = threading.Event(), queue.SimpleQueue[tuple[bool, Any]]()

    def run() -> None:
        try:
            box.put((True, work(late)))
        except Exception as error:
            box.put((False, error))

    threading.Thread(target=run, name='policy client', daemon=True).start()
    try:
        worked, found = box.get(timeout=limit_s)
    except queue.Empty:
        late.set()
        raise TimeoutError from None
    if not worked:
        raise found
    return found
