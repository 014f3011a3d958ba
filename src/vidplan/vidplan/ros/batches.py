# SPDX-License-Identifier: Apache-2.0
"""Topics of many small messages, read in batches: to wake up for each costs more than to read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.subscription import Subscription

from vidplan.ros import qos
from vidplan.ros.gate import Gate

# Without a `read`, one is made so often, s: `qos.BATCH` holds what comes in between at 1 kHz.
_LONGEST_S = 0.1


class BatchFeed:
    """Calls back for every message that came since it was last asked, in their order.

    Nothing is lost or thinned out, and `read` leaves nothing unread, so that what is decided
    after it is decided by the newest state.
    """

    def __init__(self, node: Node) -> None:
        """Read nothing yet, see `add`."""
        self._node = node
        self._gate = Gate(lambda: False)
        self._subscriptions: list[Subscription] = []
        node.create_timer(_LONGEST_S, self.read, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def add(self, kind: type, topic: str, callback: Callable[[Any], None]) -> None:
        """Subscribe to messages of a kind."""
        self._subscriptions.append(
            self._node.create_subscription(
                kind, topic, callback, qos.BATCH, callback_group=self._gate
            )
        )

    def read(self) -> None:
        """Call back for all that came, topic by topic."""
        for subscription in self._subscriptions:
            # Who sends faster than this reads does not keep it here.
            for _ in range(qos.BATCH.depth):
                with subscription.handle:
                    taken = subscription.handle.take_message(subscription.msg_type, False)
                if taken is None:
                    break
                subscription.callback(taken[0])
