# SPDX-License-Identifier: Apache-2.0
"""The Franka Hand through libfranka, in a process of its own: its calls hold Python up until done.

A command takes a second or two, and meanwhile neither the node nor the arm may wait.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from socket import socket
from typing import Any, Protocol

from vidplan.robots.franka.fci_link import FciLink
from vidplan_core.errors import ConfigError

# Nearly closed counts as closed: a grasp with force instead of a motion to a width.
_GRASP_ABOVE = 0.9
# Reports come so often while no command is under way, s.
_REPORT_S = 0.05
# Longest time to a command's end, and until a process that ended is started anew, s.
TIMEOUT_S, _AGAIN_S = 5.0, 2.0


class HandError(Exception):
    """The hand refused, failed, or is not there."""


class FciHand(Protocol):
    """A hand whose calls return when they are done; every one may raise HandError."""

    def width_m(self) -> float:
        """Distance between the fingers, m."""

    def move(self, width_m: float) -> bool:
        """Move the fingers to a distance, m; return whether they got there."""

    def grasp(self) -> bool:
        """Close with force; return whether that worked, with a thing of any size or none."""


@dataclass(frozen=True)
class HandCommand:
    """Be so closed: 0 open .. 1 closed; numbers rise."""

    number: int
    closedness: float


@dataclass(frozen=True)
class HandReport:
    """How the hand is.

    Attributes:
        width_m: between the fingers, m; below 0 where that is not known.
        number: of the last command that has ended.
        problem: why it failed, or why there is no hand; '' if all is well.
    """

    width_m: float
    number: int = 0
    problem: str = ''


class PylibfrankaHand:
    """The hand through libfranka's own Python bindings."""

    def __init__(self, host: str, opening_m: float, speed_m_s: float, force_n: float) -> None:
        """Connect.

        Args:
            host: address of the robot.
            opening_m: distance between open fingers, m.
            speed_m_s: of the fingers, m/s.
            force_n: of a grasp, N.

        Raises:
            HandError: there is none, or it was never homed.
        """
        import pylibfranka

        names = 'FrankaException', 'CommandException', 'NetworkException'
        self._failures = tuple(getattr(pylibfranka, name) for name in names)
        self._opening_m, self._speed_m_s, self._force_n = opening_m, speed_m_s, force_n
        self._hand = self._try(pylibfranka.Gripper, host)
        if self._try(self._hand.read_once).max_width < opening_m / 2:
            raise HandError('it does not know how far it opens: home it in Desk first')

    def width_m(self) -> float:
        """Distance between the fingers, m."""
        return float(self._try(self._hand.read_once).width)

    def move(self, width_m: float) -> bool:
        """Move the fingers to a distance, m."""
        return bool(self._try(self._hand.move, width_m, self._speed_m_s))

    def grasp(self) -> bool:
        """Close with force; the size of the thing is not known, so any is right."""
        wide = self._opening_m
        return bool(self._try(self._hand.grasp, 0.0, self._speed_m_s, self._force_n, wide, wide))

    def _try(self, call: Any, *words: Any) -> Any:
        try:
            return call(*words)
        except self._failures as error:
            raise HandError(str(error)) from error


def serve_hand(connect: Callable[[], FciHand], end: socket, opening_m: float) -> None:
    """Do what is said and report, until nobody is left; the whole of a process."""
    link, number = FciLink(end), 0
    try:
        hand = connect()
        while not link.is_left:
            command = link.wait(_REPORT_S)
            while (newer := link.hear()) is not None:
                command = newer  # only the newest counts
            problem = ''
            if isinstance(command, HandCommand):
                number, problem = command.number, _do(hand, command.closedness, opening_m)
                link.say(HandReport(hand.width_m(), number, problem))
            else:
                link.say(HandReport(hand.width_m(), number))
    except HandError as error:
        link.say(HandReport(-1.0, number, str(error)))


def _do(hand: FciHand, closedness: float, opening_m: float) -> str:
    """Carry a command out; return why it failed, '' if it did not."""
    try:
        if closedness >= _GRASP_ABOVE:
            return '' if hand.grasp() else 'it did not close'
        return '' if hand.move((1.0 - closedness) * opening_m) else 'it did not get there'
    except HandError as error:
        return str(error)


class HandProcess:
    """That process, as whoever commands the hand sees it; one that hangs or ends is replaced.

    Attributes:
        problem: why the last command failed, or why there is no hand; '' if all is well.
        width_m: between the fingers, m; below 0 where that is not known.
    """

    def __init__(
        self,
        connect: Callable[[], FciHand],
        opening_m: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start it; `connect` has to be picklable."""
        self._connect, self._opening_m, self._clock = connect, opening_m, clock
        self._number, self._ended, self._due_s = 0, 0, 0.0
        self.problem, self.width_m = '', -1.0
        self._start()

    @classmethod
    def of_robot(
        cls, host: str, opening_m: float, speed_m_s: float, force_n: float
    ) -> HandProcess:
        """Return that of a robot's hand; arguments as for `PylibfrankaHand`.

        Raises:
            ConfigError: pylibfranka is not installed.
        """
        try:
            import pylibfranka  # noqa: F401
        except ImportError as error:
            raise ConfigError(f'pylibfranka is not installed ({error})') from error
        return cls(partial(PylibfrankaHand, host, opening_m, speed_m_s, force_n), opening_m)

    def _start(self) -> None:
        ours, theirs = FciLink.pair()
        self._link = FciLink(ours)
        self._process = multiprocessing.get_context('spawn').Process(
            target=serve_hand, args=(self._connect, theirs, self._opening_m), daemon=True
        )
        self._process.start()
        theirs.close()
        self._ended_s: float | None = None

    def send(self, closedness: float) -> None:
        """Command 0 open .. 1 closed; returns at once."""
        if self._ended == self._number:
            self._due_s = self._clock() + TIMEOUT_S
        self._number += 1
        self._link.say(HandCommand(self._number, closedness))

    def poll(self) -> None:
        """Take in what it says, and replace a process that hangs or ended; call it often."""
        while isinstance(report := self._link.hear(), HandReport):
            if report.number != self._ended or report.problem:
                self.problem, self._ended = report.problem, report.number
                self._due_s = self._clock() + TIMEOUT_S
            self.width_m = report.width_m
        if self._ended < self._number and self._clock() > self._due_s:
            self._replace(f'a command did not end within {TIMEOUT_S:.0f} s')
        elif not self._process.is_alive():
            self._restart_later()

    def _restart_later(self) -> None:
        if self._ended_s is None:
            self._ended_s, self.width_m = self._clock(), -1.0
            self.problem = self.problem or 'the process of the hand has ended'
        elif self._clock() > self._ended_s + _AGAIN_S:
            self._replace(self.problem)

    def _replace(self, problem: str) -> None:
        """Start anew; what was commanded before is forgotten."""
        self.end()
        self.problem, self._ended, self.width_m = problem, self._number, -1.0
        self._start()

    def end(self) -> None:
        """End the process; the hand keeps what it holds."""
        self._process.kill()
        self._process.join()
