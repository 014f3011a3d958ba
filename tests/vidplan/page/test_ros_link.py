# SPDX-License-Identifier: Apache-2.0
"""The page over ROS: what it hears, what it sends, and that STOP reaches adapter and goal."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('vidplan_msgs.msg', reason='needs the built workspace')

from rclpy.action import ActionServer, CancelResponse
from rclpy.executors import MultiThreadedExecutor
from rclpy.node import Node
from std_srvs.srv import Trigger

from vidplan.page.ros_link import RosLink, end_words
from vidplan.page.watch import PageError
from vidplan.ros import qos
from vidplan.ros.images import to_image
from vidplan_core.errors import InstructionError
from vidplan_msgs.action import PlanTask
from vidplan_msgs.msg import AdapterStatus, Observation

pytestmark = pytest.mark.ros


class FakeGraph(Node):
    """Cameras, an adapter and a planner that works on until it is canceled."""

    def __init__(self) -> None:
        super().__init__('fake_graph')
        self.instructions: list[str] = []
        self.stops = 0
        self.canceled = threading.Event()
        self._observation = self.create_publisher(Observation, 'observation', qos.OBSERVATION)
        self._status = self.create_publisher(AdapterStatus, 'adapter/status', qos.LATCHED)
        self.create_timer(0.1, self._speak)
        ActionServer(
            self, PlanTask, 'plan_task', self._follow,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
        )  # fmt: skip

    def serve_stop(self) -> None:
        self.create_service(Trigger, 'adapter/stop', self._stop)

    def _stop(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self.stops += 1
        response.success, response.message = True, 'at rest in 0.100 s'
        return response

    def _speak(self) -> None:
        stamp = self.get_clock().now().to_msg()
        image = to_image(np.full((24, 20, 3), 90, np.uint8), stamp, 'base')
        self._observation.publish(
            Observation(image=image, views=['left', 'wrist'], view_height=12, view_width=20)
        )
        self._status.publish(AdapterStatus(state=AdapterStatus.HOLDING))

    def _follow(self, handle: Any) -> PlanTask.Result:
        self.instructions.append(handle.request.instruction)
        handle.publish_feedback(
            PlanTask.Feedback(phase=PlanTask.Feedback.EXECUTING, cycle=2, score=0.5)
        )
        deadline_s = time.monotonic() + 60.0
        while not handle.is_cancel_requested and time.monotonic() < deadline_s:
            time.sleep(0.02)
        self.canceled.set()
        handle.canceled()
        return PlanTask.Result(error_code=PlanTask.Result.CANCELED, error_msg='by the client')


@pytest.fixture
def graph(ros: Any) -> Iterator[tuple[RosLink, FakeGraph]]:
    link, fake = RosLink(), FakeGraph()
    executor = MultiThreadedExecutor(4)
    for node in (link, fake):
        executor.add_node(node)
    thread = threading.Thread(target=executor.spin, daemon=True)
    thread.start()
    yield link, fake
    executor.shutdown()
    thread.join(10.0)
    for node in (link, fake):
        node.destroy_node()


def soon(condition: Callable[[], Any]) -> None:
    deadline_s = time.monotonic() + 60.0
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def test_watch_send_and_stop(graph: tuple[RosLink, FakeGraph]) -> None:
    link, fake = graph
    soon(lambda: link.watch.state()['lost'] == '')
    assert set(link.watch.state()['pictures']) == {'left', 'wrist'}
    assert link.watch.state()['adapter'] == {'adapter': 'holding', 'problem': 'none'}
    with pytest.raises(PageError, match='NOT CONFIRMED'):
        link.stop()  # there is no adapter that could

    fake.serve_stop()
    with pytest.raises(InstructionError):
        link.send('open the drawer')
    soon(lambda: link._goals.server_is_ready() and link._stopper.service_is_ready())
    link.send('move to the mug')
    soon(lambda: link.watch.state()['goal'].get('cycle') == 2)
    assert fake.instructions == ['move to the mug']
    assert link.stop() == 'at rest in 0.100 s'
    assert fake.stops == 1
    soon(fake.canceled.is_set)
    soon(lambda: link.watch.state()['goal']['result'] == 'CANCELED: by the client')


@pytest.mark.parametrize(
    ('result', 'words'),
    [
        (PlanTask.Result(success=True, target='fish'), 'SUCCESS: put the fish in the bowl'),
        (PlanTask.Result(error_code=103, error_msg='not done'), 'TIME_LIMIT: not done'),
        (PlanTask.Result(error_code=999, error_msg='new'), 'ERROR_999: new'),
    ],
    ids=['done', 'not done', 'a code of another version'],
)
def test_the_end_says_what_was_done(result: PlanTask.Result, words: str) -> None:
    assert end_words('put the fish in the bowl', result) == words
