# SPDX-License-Identifier: Apache-2.0
"""Policy servers that do what a test wants, over real sockets."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from vidplan_core.policy_server.wire import pack, unpack

# Of the number of the message on this server, from 0, and the message: what to send, or nothing.
Script = Callable[[int, dict[str, Any]], bytes | str | None]


class ScriptedServer:
    """Greets, then answers by a script; remembers what it was asked and how often it was met."""

    def __init__(self, script: Script, greeting: bytes | None) -> None:
        self.script, self.greeting = script, greeting
        self.asked: list[dict[str, Any]] = []
        self.connections = 0
        self.server = serve(self._talk, '127.0.0.1', 0, compression=None, max_size=None)
        self.url = f'ws://127.0.0.1:{self.server.socket.getsockname()[1]}'
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def _talk(self, connection: ServerConnection) -> None:
        self.connections += 1
        try:
            if self.greeting is not None:
                connection.send(self.greeting)
            for data in connection:
                self.asked.append(unpack(data))
                answer = self.script(len(self.asked) - 1, self.asked[-1])
                if answer is not None:
                    connection.send(answer)
        except ConnectionClosed:
            pass
        except ConnectionAbortedError:  # the script wants the process to die
            connection.socket.close()


@contextmanager
def scripted(script: Script, greeting: bytes | None = b'\x80') -> Iterator[ScriptedServer]:
    server = ScriptedServer(script, greeting)
    try:
        yield server
    finally:
        server.server.shutdown()


def answer(actions: np.ndarray) -> bytes:
    """A good answer, with what openpi sends beside."""
    return pack({'actions': actions, 'policy_timing': {'infer_ms': 1.0}})


def chunk(steps: int = 15, joint: int = 0, speed: float = 0.2, grip: float = 0.0) -> np.ndarray:
    """Commands (steps, 8): one joint moves."""
    actions = np.zeros((steps, 8))
    actions[:, joint], actions[:, 7] = speed, grip
    return actions
