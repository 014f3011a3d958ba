# SPDX-License-Identifier: Apache-2.0
"""The hand is commanded in a process of its own, which may hang, fail or end."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('diagnostic_msgs.msg', reason='needs ROS 2')

from builtin_interfaces.msg import Time
from std_msgs.msg import Float64

from vidplan.parameters.fci import FciParameters
from vidplan.robots.franka.fci_hand import (
    TIMEOUT_S,
    HandCommand,
    HandError,
    HandProcess,
    HandReport,
    serve_hand,
)
from vidplan.robots.franka.fci_link import FciLink
from vidplan.robots.franka.hand_feed import HandFeed

OPEN_M = 0.08


class MadeHand:
    """Is where it was sent at once; refuses one width, hangs at another, ends at a third."""

    def __init__(self) -> None:
        self.width = OPEN_M

    def width_m(self) -> float:
        return self.width

    def move(self, width_m: float) -> bool:
        if width_m == pytest.approx(0.01):
            raise HandError('command rejected')
        if width_m == pytest.approx(0.02):
            time.sleep(1000.0)
        if width_m == pytest.approx(0.03):
            os._exit(1)
        self.width = width_m
        return width_m != pytest.approx(0.05)

    def grasp(self) -> bool:
        self.width = 0.0
        return True


def no_hand() -> MadeHand:
    raise HandError('connection refused')


@pytest.fixture
def started(request: pytest.FixtureRequest) -> Iterator[tuple[HandProcess, list[float]]]:
    now_s = [0.0]
    process = HandProcess(getattr(request, 'param', MadeHand), OPEN_M, lambda: now_s[0])
    yield process, now_s
    process.end()


def until(process: HandProcess, condition: Callable[[], Any]) -> None:
    deadline_s = time.monotonic() + 60.0
    while not condition():
        assert time.monotonic() < deadline_s, process.problem
        process.poll()
        time.sleep(0.005)


def test_it_opens_and_closes(started: tuple[HandProcess, list[float]]) -> None:
    process, _ = started
    until(process, lambda: process.width_m == OPEN_M)
    for closedness, width_m in ((1.0, 0.0), (0.5, 0.04), (0.0, OPEN_M)):
        process.send(closedness)
        until(process, lambda width_m=width_m: process.width_m == pytest.approx(width_m))
        assert process.problem == ''


@pytest.mark.fault('gripper')
@pytest.mark.parametrize(
    ('closedness', 'says'), [(0.875, 'command rejected'), (0.375, 'did not get there')]
)
def test_what_failed_is_told_until_something_works(
    started: tuple[HandProcess, list[float]], closedness: float, says: str
) -> None:
    process, _ = started
    process.send(closedness)
    until(process, lambda: says in process.problem)
    process.send(1.0)
    until(process, lambda: process.width_m == 0.0 and not process.problem)


@pytest.mark.fault('gripper')
def test_a_hand_that_hangs_is_given_up_and_the_next_command_done(
    started: tuple[HandProcess, list[float]],
) -> None:
    process, now_s = started
    until(process, lambda: process.width_m == OPEN_M)
    process.send(0.75)
    process.poll()
    now_s[0] = TIMEOUT_S + 1.0
    process.poll()
    assert 'did not end' in process.problem
    process.send(1.0)
    until(process, lambda: process.width_m == 0.0 and not process.problem)


@pytest.mark.fault('gripper')
def test_a_process_that_ends_is_started_anew(started: tuple[HandProcess, list[float]]) -> None:
    process, now_s = started
    until(process, lambda: process.width_m == OPEN_M)
    process.send(0.625)
    until(process, lambda: 'has ended' in process.problem)
    assert process.width_m < 0
    now_s[0] += 3.0
    until(process, lambda: process.width_m == OPEN_M)
    process.send(1.0)
    until(process, lambda: process.width_m == 0.0 and not process.problem)


@pytest.mark.parametrize('started', [no_hand], indirect=True)
def test_no_hand_says_why(started: tuple[HandProcess, list[float]]) -> None:
    process, _ = started
    until(process, lambda: process.problem == 'connection refused')
    assert process.width_m < 0


def test_of_commands_that_wait_the_newest_counts() -> None:
    ours, theirs = FciLink.pair()
    link, done = FciLink(ours), []

    class Notes(MadeHand):
        def move(self, width_m: float) -> bool:
            done.append(width_m)
            return super().move(width_m)

    for number, closedness in enumerate((0.2, 0.4, 0.5), 1):
        link.say(HandCommand(number, closedness))
    threading.Thread(target=partial(serve_hand, Notes, theirs, OPEN_M), daemon=True).start()
    while not (isinstance(report := link.wait(5.0), HandReport) and report.number == 3):
        pass
    assert done == [pytest.approx(0.04)]


class ScriptedHand:
    """A hand of which a test says how it is."""

    def __init__(self) -> None:
        self.width_m, self.problem = 0.02, ''
        self.sent: list[float] = []
        self.ended = False

    def send(self, closedness: float) -> None:
        self.sent.append(closedness)

    def poll(self) -> None:
        """Nothing is new."""

    def end(self) -> None:
        self.ended = True


def test_the_graph_hears_of_fingers_and_failures() -> None:
    said: dict[str, list[Any]] = {}

    def publisher(_: Any, topic: str, __: Any) -> Any:
        return SimpleNamespace(publish=said.setdefault(topic, []).append)

    errors: list[str] = []
    node: Any = SimpleNamespace(
        create_publisher=publisher, create_subscription=lambda *_: None,
        create_timer=lambda *_, **__: None,
        get_logger=lambda: SimpleNamespace(error=errors.append),
        get_clock=lambda: SimpleNamespace(now=lambda: SimpleNamespace(to_msg=Time)),
    )  # fmt: skip
    hand: Any = ScriptedHand()
    feed = HandFeed(node, FciParameters(), hand)
    feed.poll()
    feed.poll()
    fingers = said['gripper/joint_states']
    assert list(fingers[-1].position) == pytest.approx([0.01, 0.01])
    assert [status.level for status in said['fci/hand']] == [b'\x00']
    hand.problem, hand.width_m = 'lost', -1.0
    feed.poll()
    assert said['fci/hand'][-1].message == 'lost'
    assert len(fingers) == 2
    feed._on_command(Float64(data=1.0))
    feed._on_command(Float64(data=float('nan')))
    assert hand.sent == [1.0]
    assert 'must be in 0 .. 1' in errors[0]
    feed.end()
    assert hand.ended
