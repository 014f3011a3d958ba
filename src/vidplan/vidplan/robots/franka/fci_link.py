# SPDX-License-Identifier: Apache-2.0
"""What the process at the robot and the one in the graph say to each other."""

from __future__ import annotations

import errno
import os
import pickle
import select
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from vidplan.robots.franka.fci_arm import FciState

# Room for the longest trajectory in one piece, bytes.
_ROOM = 1 << 20

# What sending fails with where nobody listens, or nobody is there any more.
_NOBODY = (
    errno.EAGAIN, errno.ECONNREFUSED, errno.ECONNRESET, errno.ENOTCONN, errno.EPIPE
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Follow:
    """Follow a trajectory: times (K,), s since the epoch, and states (K, 7).

    A `start_s` of None begins it when it arrives; times then count from that moment.
    """

    start_s: float | None
    times_s: Any
    q: Any
    dq: Any
    ddq: Any


@dataclass(frozen=True)
class Recover:
    """Acknowledge errors and command again."""


@dataclass(frozen=True, eq=False)
class FciReport:
    """How the robot is, at a time in s since the epoch.

    Attributes:
        refusals: how many trajectories were refused so far.
        refusal: why the last one was.
        problem: why the robot is not commanded, '' while it is.
    """

    stamp_s: float
    state: FciState
    refusals: int = 0
    refusal: str = ''
    problem: str = ''
    cycles: int = field(default=0)


class FciLink:
    """One end of a pair; nothing that is said or heard ever waits, unless asked to."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._peer = os.getppid()

    @classmethod
    def pair(cls) -> tuple[socket.socket, socket.socket]:
        """Return two connected ends; messages stay whole."""
        ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        for end in ends:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _ROOM)
        return ends

    @property
    def is_left(self) -> bool:
        """Whether the process that started this one has ended."""
        return os.getppid() != self._peer

    def say(self, message: Any) -> None:
        """Send; nobody who listens misses it, but one who does not must not hold us up."""
        try:
            self._end.send(pickle.dumps(message), socket.MSG_DONTWAIT)
        except OSError as error:
            if error.errno not in _NOBODY:
                raise

    def hear(self) -> Any:
        """Return the next message, None where there is none."""
        with suppress(BlockingIOError, ConnectionError):
            return pickle.loads(self._end.recv(_ROOM, socket.MSG_DONTWAIT))
        return None

    def wait(self, timeout_s: float) -> Any:
        """Return the next message, None after the time."""
        # Not by a time-out of the socket: that would hold up whoever asks without waiting, too.
        select.select([self._end], [], [], timeout_s)
        return self.hear()
