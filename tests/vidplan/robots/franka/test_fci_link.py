# SPDX-License-Identifier: Apache-2.0
"""What is said arrives whole and in order, and nobody is held up."""

from __future__ import annotations

import numpy as np

from vidplan.robots.franka.fci_link import FciLink, Follow, Recover


def ends() -> tuple[FciLink, FciLink]:
    one, other = FciLink.pair()
    return FciLink(one), FciLink(other)


def test_messages_arrive_in_order() -> None:
    ours, theirs = ends()
    states = np.zeros((300, 7))  # longer than any trajectory
    ours.say(Follow(1.5, np.arange(300.0), states, states, states))
    ours.say(Recover())
    first = theirs.wait(1.0)
    assert (first.start_s, first.q.shape) == (1.5, (300, 7))
    assert theirs.hear() == Recover()


def test_silence_is_nothing() -> None:
    ours, _theirs = ends()
    assert ours.wait(0.01) is None
    assert ours.hear() is None  # at once, whatever was waited for before


def test_one_who_does_not_listen_holds_nobody_up() -> None:
    ours, theirs = ends()
    for _ in range(10_000):
        ours.say(Recover())
    assert theirs.hear() == Recover()


def test_one_who_is_gone_is_no_failure() -> None:
    one, other = FciLink.pair()
    other.close()
    for _ in range(3):  # it is told in another way the second time
        FciLink(one).say(Recover())
    assert FciLink(one).hear() is None
