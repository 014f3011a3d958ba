# SPDX-License-Identifier: Apache-2.0
"""Whatever fails, and in whatever order: a node holds nothing, says why, and comes back."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy._rclpy_pybind11 import RCLError
from std_msgs.msg import Empty
from std_srvs.srv import Trigger

from vidplan.ros.lifecycle import ManagedNode
from vidplan_core.errors import ModelError

pytestmark = pytest.mark.ros

WORK = 'configure', 'activate', 'deactivate', 'cleanup'
# Where each leads from where, if nothing fails.
LEADS = {
    'configure': ('unconfigured', 'inactive'), 'activate': ('inactive', 'active'),
    'deactivate': ('active', 'inactive'), 'cleanup': ('inactive', 'unconfigured'),
}  # fmt: skip
EXPECTED, UNEXPECTED = ModelError('no models'), ZeroDivisionError('by zero')


class Worker(ManagedNode):
    """Takes two things and gives them back; fails where it is asked to."""

    def __init__(self) -> None:
        super().__init__('worker')
        self.fails: dict[str, Exception] = {}
        self.held: set[str] = set()
        self.create_subscription(Empty, 'topic', lambda _: self.do('callback'), 1)
        self.create_service(Trigger, 'service', self.serve)
        self.ticks = 0
        self.create_timer(0.01, self.tick)

    def do(self, work: str) -> None:
        if error := self.fails.pop(work, None):
            raise error

    def tick(self) -> None:
        self.ticks += 1
        self.do('timer')

    def serve(self, _: Any, response: Trigger.Response) -> Trigger.Response:
        self.do('service')
        response.success = True
        return response

    def configure(self) -> None:
        self.held.add('models')
        self.do('configure')

    def activate(self) -> None:
        self.held.add('arm')
        self.do('activate')

    def deactivate(self) -> None:
        self.held.discard('arm')
        self.do('deactivate')

    def cleanup(self) -> None:
        self.held.discard('models')
        self.do('cleanup')


def trigger(node: Worker, work: str) -> None:
    getattr(node, f'trigger_{work}')()


@pytest.fixture
def node(ros: Any) -> Worker:
    return ros.add(Worker())


@pytest.mark.parametrize('seed', range(6))
@pytest.mark.fault('transition')
def test_any_order_of_transitions_and_failures(node: Worker, seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(60):
        work, error = draw.choice(WORK), draw.choice((None, None, EXPECTED, UNEXPECTED))
        before, (origin, goal) = node.state, LEADS[work]
        node.fails = {work: error} if error else {}
        if before != origin:
            with pytest.raises(RCLError):
                trigger(node, work)
            assert node.state == before
            continue
        trigger(node, work)
        expected = {None: goal, EXPECTED: before, UNEXPECTED: 'unconfigured'}[error]
        assert node.state == expected
        assert node.failure is error
        if error is UNEXPECTED:
            assert not node.held
            assert not node.active
            assert node.failure_text == 'INTERNAL: ZeroDivisionError: by zero'
    node.fails = {}
    if node.state != 'unconfigured':
        trigger(node, 'deactivate') if node.state == 'active' else None
        trigger(node, 'cleanup')
    node.start()
    assert node.held == {'models', 'arm'}
    assert (node.state, node.active, node.failure_text) == ('active', True, '')


@pytest.mark.parametrize('state', ['active', 'inactive', 'unconfigured'])
@pytest.mark.parametrize('where', ['callback', 'timer', 'service'])
@pytest.mark.fault('callback_fails')
def test_an_exception_in_a_callback_leads_to_unconfigured(
    ros: Any, node: Worker, where: str, state: str
) -> None:
    for work in ('configure', 'activate')[: ('unconfigured', 'inactive', 'active').index(state)]:
        trigger(node, work)
    node.fails = {where: UNEXPECTED}
    publisher = ros.node.create_publisher(Empty, 'topic', 1)
    if where == 'callback':
        ros.connect(publisher)
        publisher.publish(Empty())
    if where == 'service':
        assert not ros.call(Trigger, 'service', Trigger.Request()).success
    ros.spin_until(lambda: node.failure is UNEXPECTED)
    assert (node.state, node.active, node.held) == ('unconfigured', False, set())
    # Callbacks go on, and it works again when it is asked to.
    ticks = node.ticks
    node.start()
    ros.spin_until(lambda: node.ticks > ticks)
    assert ros.call(Trigger, 'service', Trigger.Request()).success
    assert (node.state, node.failure) == ('active', None)


@pytest.mark.parametrize('known', [EXPECTED, UNEXPECTED], ids=['known', 'unknown'])
def test_what_cannot_be_given_back_is_final(node: Worker, known: Exception) -> None:
    node.start()
    node.fails = {'deactivate': UNEXPECTED, 'cleanup': known}
    trigger(node, 'deactivate')
    assert node.finalized


@pytest.mark.parametrize('up', [(), ('configure',), ('configure', 'activate')], ids=len)
@pytest.mark.parametrize('fails', [{}, {'cleanup': EXPECTED}, {'deactivate': UNEXPECTED}], ids=len)
def test_shutdown_is_final_from_every_state(
    ros: Any, node: Worker, up: tuple[str, ...], fails: dict[str, Exception]
) -> None:
    for work in up:
        trigger(node, work)
    node.fails = fails
    request = ChangeState.Request(transition=Transition(label='shutdown'))
    ros.call(ChangeState, 'worker/change_state', request)
    assert node.finalized
    assert not node.held


def test_a_failing_node_in_a_transition_is_left_to_it(node: Worker) -> None:
    done: list[Callable[[], None]] = []
    with node._transitions:
        node.fail(UNEXPECTED)
        done.append(node.start)
    done[0]()
    assert node.state == 'active'
