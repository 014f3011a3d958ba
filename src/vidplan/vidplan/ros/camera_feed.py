# SPDX-License-Identifier: Apache-2.0
"""Pictures of several cameras, read from the middleware only when one is needed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from rclpy.callback_groups import CallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image

from vidplan.ros import qos
from vidplan.ros.images import image_kind
from vidplan_core.data.demand import FrameDemand
from vidplan_core.data.readings import seconds
from vidplan_core.geometry.camera_layout import CameraLayout

Picture: TypeAlias = Image | CompressedImage

# A timer needs a period, s.
_LEAST_WAIT_S = 1e-3
_NANOSECONDS = 1_000_000_000


class _Gate(CallbackGroup):
    """Hides a subscription from the executor, which then neither wakes up for it nor reads."""

    def __init__(self, is_open: Callable[[], bool]) -> None:
        super().__init__()
        self._is_open = is_open

    def can_execute(self, entity: Any) -> bool:
        """Whether its messages are read."""
        return self._is_open()

    def beginning_execution(self, entity: Any) -> bool:
        """Allow it: what is in reach of the executor may be done."""
        return True

    def ending_execution(self, entity: Any) -> None:
        """Do nothing: one does not wait for another."""


class CameraFeed:
    """Subscribes to every view of a layout, and reads the newest picture when it is needed.

    The middleware keeps one picture of every view. To take one from it costs milliseconds, and
    cameras send many more than are looked at.
    """

    def __init__(
        self,
        node: Node,
        layout: CameraLayout,
        demand: FrameDemand,
        on_picture: Callable[[str, Picture], None],
    ) -> None:
        """Call `on_picture` with the name of a view and its message."""
        self._node, self._demand, self._on_picture = node, demand, on_picture
        for view in layout.views:
            topic = layout.topic(view)
            node.create_subscription(
                image_kind(node.resolve_topic_name(topic)),
                topic,
                partial(self._on_message, view),
                qos.CAMERA,
                callback_group=_Gate(partial(self._wants, view)),
            )
        # An executor that nothing wakes would not see that a gate is open.
        self._wake = node.create_timer(
            1.0, self._sleep, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    @property
    def _now_s(self) -> float:
        return float(self._node.get_clock().now().nanoseconds / _NANOSECONDS)

    def _wants(self, view: str) -> bool:
        return self._demand.wants(view, self._now_s, time.monotonic())

    def _on_message(self, view: str, message: Picture) -> None:
        stamp_s = seconds(message.header.stamp)
        self._demand.take(view, stamp_s, self._now_s, time.monotonic())
        self._on_picture(view, message)
        if self._demand.complete:
            self._demand.need_others()
        self._sleep()

    def _sleep(self) -> None:
        """Wake up when the next gate opens."""
        wait_s = self._demand.next_wait_s(self._now_s, time.monotonic())
        if math.isinf(wait_s):
            self._wake.cancel()
            return
        self._wake.timer_period_ns = int(max(wait_s, _LEAST_WAIT_S) * _NANOSECONDS)
        self._wake.reset()
