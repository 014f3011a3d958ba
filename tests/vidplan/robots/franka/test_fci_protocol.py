# SPDX-License-Identifier: Apache-2.0
"""Through libfranka to an independent server of its protocol that reproduces reflexes.

The server runs in simulated time: it waits for every command, however busy the machine is.
VIDPLAN_FCI_SECONDS says for how long plans are sent.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

import pytest

pytest.importorskip('pylibfranka', reason='needs pylibfranka')

from tests.vidplan.robots.franka.protocol_server import HOST, needs_server, protocol_server
from vidplan.cli.main import main
from vidplan.robots.franka.fci_hand import HandProcess

SECONDS = os.environ.get('VIDPLAN_FCI_SECONDS', '6')
OPENING_M, THING_M = 0.08, 0.03

pytestmark = [pytest.mark.slow, needs_server]


@pytest.fixture(scope='module', autouse=True)
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    log = tmp_path_factory.mktemp('server') / 'server.log'
    words = '--enforce-comm-constraints', '--gripper-object-width', str(THING_M)
    with protocol_server(log, '--wait', *words):
        yield


@pytest.mark.fault('reflex')
def test_no_plan_has_the_arm_stop_itself_and_it_recovers() -> None:
    words = ['bench', 'fci', '--simulated-time', '--seed', '1', '--seconds', SECONDS]
    assert main([*words, '--provoke']) == 0


@pytest.fixture
def hand() -> Iterator[HandProcess]:
    process = HandProcess.of_robot(HOST, OPENING_M, 0.1, 20.0)
    yield process
    process.end()


def poll_until(hand: HandProcess, condition: Callable[[], bool]) -> None:
    """Look at the hand until something holds; the time-out of the test ends it otherwise."""
    while not condition():
        hand.poll()
        time.sleep(0.05)


def test_the_hand_opens_and_grasps(hand: HandProcess) -> None:
    poll_until(hand, lambda: hand.width_m >= 0.0)
    for closedness, width_m in ((0.0, OPENING_M), (1.0, THING_M), (0.5, OPENING_M / 2)):
        hand.send(closedness)
        poll_until(hand, lambda width_m=width_m: abs(hand.width_m - width_m) < 0.003)
        assert not hand.problem
