# SPDX-License-Identifier: Apache-2.0
"""Serves a policy with the protocol of openpi, and with RoboArena's variant of it."""

from __future__ import annotations

import http
import logging
import threading
from collections.abc import Mapping
from time import perf_counter
from typing import Any, Protocol

from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from vidplan_core.errors import ConfigError, PolicyServerError, VidPlanError
from vidplan_core.policy_server.droid import ACTIONS
from vidplan_core.policy_server.reasons import MALFORMED
from vidplan_core.policy_server.wire import MAX_BYTES, pack, unpack

LOOPBACK = '127.0.0.1'
# Of RoboArena's requests.
ENDPOINT, RESET = 'endpoint', 'reset'

_log = logging.getLogger(__name__)


class PolicyEpisode(Protocol):
    """One client's episode, from its connection or reset on."""

    def infer(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a request; it has `actions` (any number, 8).

        Raises:
            VidPlanError: there is none; its words go to the client.
        """
        ...


class ServedPolicy(Protocol):
    """What is served.

    Attributes:
        metadata: the greeting of every connection.
    """

    metadata: Mapping[str, Any]

    def episode(self) -> PolicyEpisode:
        """Start one."""
        ...


class PolicyServer:
    """Listens from the start; every client has a thread and episodes of its own."""

    def __init__(self, policy: ServedPolicy, host: str = LOOPBACK, port: int = 8000) -> None:
        """Serve on a port; 0 for any that is free.

        Raises:
            ConfigError: the address cannot be had.
        """
        self._policy = policy
        try:
            self._server = serve(
                self._talk, host, port, compression=None, max_size=MAX_BYTES,
                process_request=_health,
            )  # fmt: skip
        except OSError as error:
            raise ConfigError(f'cannot serve on {host}:{port}: {error}') from error
        self._thread = threading.Thread(target=self.serve, name='policy server', daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self._server.socket.getsockname()[:2]
        return f'ws://{host}:{port}'

    def serve(self) -> None:
        """Serve until `close`."""
        self._server.serve_forever()

    def start(self) -> PolicyServer:
        """Serve in a thread; returns itself."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Take no more connections."""
        self._server.shutdown()

    def _talk(self, connection: ServerConnection) -> None:
        whose = connection.remote_address
        _log.info('%s connects', whose)
        try:
            connection.send(pack(dict(self._policy.metadata)))
            episode = self._policy.episode()
            for data in connection:
                episode = self._answer(connection, episode, data)
        except ConnectionClosed:
            pass
        except Exception:
            _log.exception('a request failed unexpectedly')
            connection.close(CloseCode.INTERNAL_ERROR, 'see the log of the server')
        _log.info('%s is gone', whose)

    def _answer(
        self, connection: ServerConnection, episode: PolicyEpisode, data: str | bytes
    ) -> PolicyEpisode:
        """Answer one message; returns the episode that the next one belongs to."""
        began_s = perf_counter()
        try:
            message = _message(data)
            endpoint = message.pop(ENDPOINT, None)
            if endpoint == RESET:
                connection.send('reset successful')
                return self._policy.episode()
            answer = episode.infer(message)
        except VidPlanError as error:
            connection.send(f'{error.code}: {error}')
            return episode
        answer['server_timing'] = {'infer_ms': 1e3 * (perf_counter() - began_s)}
        connection.send(pack(answer if endpoint is None else answer[ACTIONS]))
        return episode


def _message(data: str | bytes) -> dict[str, Any]:
    message = unpack(data) if isinstance(data, bytes) else None
    if not isinstance(message, dict):
        raise PolicyServerError(MALFORMED, 'a request must be a msgpack map')
    return message


def _health(connection: ServerConnection, request: Request) -> Response | None:
    """Answer `GET /healthz`; all else is a handshake."""
    if request.path == '/healthz':
        return connection.respond(http.HTTPStatus.OK, 'OK\n')
    return None
