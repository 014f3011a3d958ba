# SPDX-License-Identifier: Apache-2.0
"""What the adapter makes of the words of the node `fci`."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('diagnostic_msgs.msg', reason='needs ROS 2')

from tests.vidplan.robots.fake_robot import HOME
from vidplan.robots.franka.fci_arm import FciState
from vidplan.robots.franka.fci_feed import FciFeed
from vidplan.robots.franka.fci_link import FciReport
from vidplan.robots.franka.fci_node import state_message
from vidplan_core.control.franka.robot_state import IDLE, MOVE, REFLEX, USER_STOPPED
from vidplan_core.control.rejection import (
    CONTACT,
    ROBOT_NOT_READY,
    ROBOT_REFLEX,
    ROBOT_STOPPED,
    STALE_ROBOT_STATE,
)

FINE = FciState(np.array(HOME), np.zeros(7), np.array(HOME), MOVE)


class Heard:
    """A feed that hears at a time that is set."""

    def __init__(self) -> None:
        self.now_s = 0.0
        node: Any = SimpleNamespace(
            create_subscription=lambda *_: SimpleNamespace(topic_name='/fci/state')
        )
        self.feed = FciFeed(node, stop_on_contact=False, clock=lambda: self.now_s)

    def hear(self, state: FciState = FINE, **words: Any) -> None:
        self.feed._on_state(state_message(FciReport(0.0, state, **words)))


@pytest.mark.parametrize(
    ('state', 'reason', 'words'),
    [
        ({'mode': REFLEX, 'errors': ('cartesian_reflex',)}, ROBOT_REFLEX, 'cartesian_reflex'),
        ({'mode': USER_STOPPED}, ROBOT_STOPPED, 'enabling device'),
        ({'mode': IDLE}, ROBOT_NOT_READY, 'idle'),
        ({'collisions': ('joint 3',)}, CONTACT, 'joint 3'),
    ],
)
def test_what_forbids_to_move_is_named(state: dict[str, Any], reason: str, words: str) -> None:
    heard = Heard()
    heard.hear(replace(FINE, **state))
    fault = heard.feed.fault()
    assert fault is not None
    assert fault[0] == reason
    assert words in fault[1]


def test_an_arm_that_is_commanded_may_move_until_it_falls_silent() -> None:
    heard = Heard()
    assert heard.feed.fault() is None  # that nobody is there, the topic of commands says
    heard.hear()
    assert heard.feed.fault() is None
    heard.now_s = 0.3
    fault = heard.feed.fault()
    assert fault is not None
    assert fault[0] == STALE_ROBOT_STATE


def test_a_refusal_is_said_once_and_only_if_it_is_ours() -> None:
    heard = Heard()
    heard.hear(refusals=2, refusal='LIMIT: of somebody else')
    assert heard.feed.refusal() == ''
    heard.hear(refusals=3, refusal='STALE: late')
    assert heard.feed.refusal() == 'STALE: late'
    assert heard.feed.refusal() == ''
