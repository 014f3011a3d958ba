# SPDX-License-Identifier: Apache-2.0
"""The operator's page: what is known of a robot, who may ask, and the page in a browser."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fakes.browser import chromium, open_tab
from tests.fakes.page_robot import PageRobot
from vidplan.page.server import PageServer, is_loopback
from vidplan.page.watch import LOST_S, PageError, Watch

ORANGE = np.full((24, 40, 3), (230, 120, 20), np.uint8)
LOCAL = {'X-VidPlan': 'local'}


class Clock:
    """A clock that is set by hand, s."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def robot(clock: Clock) -> PageRobot:
    robot = PageRobot(Watch(clock))
    robot.show({'left': ORANGE})
    return robot


def serving(robot: PageRobot, token: str = '') -> Iterator[PageServer]:
    with PageServer(robot, '127.0.0.1', 0, token) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def server(robot: PageRobot) -> Iterator[PageServer]:
    yield from serving(robot)


def ask(
    server: PageServer, method: str, path: str, body: str = '', headers: Any = None
) -> tuple[int, bytes]:
    link = http.client.HTTPConnection('127.0.0.1', server.server_port, timeout=30)
    link.request(method, path, body, LOCAL if headers is None else headers)
    answer = link.getresponse()
    found = answer.status, answer.read()
    link.close()
    return found


def test_the_state_says_what_is_silent(robot: PageRobot, clock: Clock) -> None:
    assert robot.watch.state()['lost'] == ''
    clock.now += LOST_S + 0.1
    robot.watch.alive('observation')
    assert robot.watch.state()['lost'] == 'action adapter: silent for 2 s'
    assert robot.watch.state()['pictures']['left'] == {'number': 1, 'age_s': 1.6}


def test_a_robot_that_never_spoke_is_lost() -> None:
    assert 'cameras and arm: nothing came yet; action adapter' in Watch().state()['lost']


def test_pictures_are_jpeg_and_counted(server: PageServer, robot: PageRobot) -> None:
    robot.show({'left': ORANGE, 'imagined, uncertain red': ORANGE})
    status, jpeg = ask(server, 'GET', '/picture/imagined%2C%20uncertain%20red')
    assert (status, jpeg[:2]) == (200, b'\xff\xd8')
    state = json.loads(ask(server, 'GET', '/state')[1])
    assert state['pictures']['left']['number'] == 2
    assert ask(server, 'GET', '/picture/none')[0] == 404


def test_send_and_stop(server: PageServer, robot: PageRobot) -> None:
    assert ask(server, 'POST', '/send', '{"instruction": "move to the mug"}')[0] == 200
    status, said = ask(server, 'POST', '/send', '{"instruction": "open the drawer"}')
    assert status == 409
    assert json.loads(said)['message'].startswith("INVALID_INSTRUCTION: 'open the drawer'")
    assert robot.sent == ['move to the mug']
    status, said = ask(server, 'POST', '/stop')
    assert (status, json.loads(said)) == (200, {'message': 'at rest in 0.120 s'})
    robot.mute = True
    status, said = ask(server, 'POST', '/stop')
    assert (status, robot.stops) == (409, 2)
    assert 'NOT CONFIRMED' in json.loads(said)['message']


@pytest.mark.parametrize(
    'headers',
    [{}, {'X-VidPlan': 'wrong'}, LOCAL | {'Host': 'evil.example'}],
    ids=['another site', 'wrong', 'rebound name'],
)
def test_other_sites_are_refused(
    server: PageServer, robot: PageRobot, headers: dict[str, str]
) -> None:
    for method, path in (('POST', '/stop'), ('POST', '/send'), ('GET', '/state')):
        assert ask(server, method, path, '{}', headers)[0] == 403
    assert robot.stops == 0


def test_a_token_is_needed_off_this_machine(robot: PageRobot) -> None:
    assert not is_loopback('0.0.0.0')
    with pytest.raises(PageError, match='needs a token'):
        PageServer(robot, '0.0.0.0', 0)
    for server in serving(robot, 'secret'):
        assert server.url.endswith('/#secret')
        assert ask(server, 'POST', '/stop')[0] == 403
        named = {'X-VidPlan': 'secret', 'Host': 'robot.local'}
        assert ask(server, 'POST', '/stop', '', named)[0] == 200


def test_a_port_that_is_taken_is_named(server: PageServer, robot: PageRobot) -> None:
    with pytest.raises(PageError, match=f'cannot listen on 127.0.0.1:{server.server_port}'):
        PageServer(robot, '127.0.0.1', server.server_port)


STOP = (
    '(({x, y, width, height}) => [x, y, width, height])'
    "(document.getElementById('stop').getBoundingClientRect())"
)


@pytest.mark.skipif(chromium() is None, reason='needs Chromium')
@pytest.mark.parametrize('size', [(1024, 900), (768, 1024)], ids=['desk', 'tablet'])
def test_type_send_watch_stop_and_lose_the_robot(
    server: PageServer, robot: PageRobot, clock: Clock, tmp_path: Path, size: tuple[int, int]
) -> None:
    with open_tab(server.url, tmp_path / 'browser', size) as tab:
        tab.wait_for("document.querySelector('img')?.naturalWidth === 40")
        tab.ask("document.getElementById('words').focus()")
        tab.call('Input.insertText', text='put the carrot in the bowl')
        tab.ask("document.getElementById('send').click()")
        tab.wait_for("document.getElementById('says').textContent.startsWith('sent')")
        assert robot.sent == ['put the carrot in the bowl']
        tab.wait_for("document.getElementById('facts').textContent.includes('executing')")

        stop = tab.ask(STOP)
        assert stop[2] > 0.8 * size[0]  # a hand in a hurry hits it
        assert stop[3] > 60
        place = {'x': stop[0] + stop[2] / 2, 'y': stop[1] + stop[3] / 2, 'button': 'left'}
        for kind in ('mousePressed', 'mouseReleased'):
            tab.call('Input.dispatchMouseEvent', type=kind, clickCount=1, **place)
        tab.wait_for("document.getElementById('says').textContent.startsWith('stopped: at rest')")
        assert robot.stops == 1

        clock.now += 10.0
        tab.wait_for("document.getElementById('lost').textContent.startsWith('ROBOT LOST')")
        assert tab.ask(STOP) == stop  # it stays where it is while the page changes
        tab.wait_for("document.querySelector('figure').classList.contains('old')")
        server.shutdown()
        server.server_close()
        tab.wait_for("document.getElementById('lost').textContent.startsWith('PAGE LOST')")
        tab.ask("document.getElementById('stop').click()")
        tab.wait_for("document.getElementById('says').textContent.startsWith('NOT CONFIRMED')")
