# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from sensor_msgs.msg import JointState

from vidplan.ros.batches import BatchFeed

pytestmark = pytest.mark.ros


def test_all_that_came_is_read_at_once_and_in_order(ros: Any) -> None:
    heard: list[tuple[str, str]] = []
    feed = BatchFeed(ros.node)
    publishers = []
    for topic in ('arm', 'hand'):
        feed.add(
            JointState, topic, lambda message, topic=topic: heard.append((topic, *message.name))
        )
        publishers.append(ros.node.create_publisher(JointState, topic, 50))
    ros.connect(*publishers)
    for number in range(20):
        for publisher in publishers:
            publisher.publish(JointState(name=[str(number)]))

    def all_read() -> bool:
        feed.read()
        return len(heard) == 40

    ros.spin_until(all_read)
    for topic in ('arm', 'hand'):
        assert [name for who, name in heard if who == topic] == [str(n) for n in range(20)]


def test_nobody_has_to_ask(ros: Any) -> None:
    heard: list[JointState] = []
    BatchFeed(ros.node).add(JointState, 'arm', heard.append)
    publisher = ros.node.create_publisher(JointState, 'arm', 10)
    ros.connect(publisher)
    publisher.publish(JointState())
    ros.spin_until(lambda: heard)
