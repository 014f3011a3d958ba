# SPDX-License-Identifier: Apache-2.0
"""Pictures of several cameras, read from the middleware only when one is needed."""

from __future__ import annotations

import ctypes
import math
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeAlias

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image

from vidplan.ros import qos
from vidplan.ros.gate import Gate
from vidplan.ros.images import image_kind
from vidplan_core.data.demand import FrameDemand
from vidplan_core.data.image_bytes import ImageBytes, read_image
from vidplan_core.data.readings import seconds
from vidplan_core.errors import ObservationError
from vidplan_core.geometry.camera_layout import CameraLayout

Picture: TypeAlias = ImageBytes | CompressedImage

# A timer needs a period, s.
_LEAST_WAIT_S = 1e-3
_NANOSECONDS = 1_000_000_000
# Parameters of mallopt(3); memory that stays, and that of a picture in 4K.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT_BYTES, _LARGEST_BYTES = 256 << 20, 32 << 20


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
        on_problem: Callable[[str, ObservationError], None],
    ) -> None:
        """Call `on_picture` with the name of a view and its message.

        Or `on_problem`, where bytes come that are no picture.
        """
        self._node, self._demand = node, demand
        self._on_picture, self._on_problem = on_picture, on_problem
        for view in layout.views:
            topic = layout.topic(view)
            kind = image_kind(node.resolve_topic_name(topic))
            node.create_subscription(
                kind,
                topic,
                partial(self._on_bytes if kind is Image else self._on_message, view),
                qos.CAMERA,
                callback_group=Gate(partial(self._wants, view)),
                # To unpack a large one into a message copies it three times.
                raw=kind is Image,
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

    def _on_bytes(self, view: str, serialised: bytes) -> None:
        try:
            picture = read_image(serialised)
        except ObservationError as error:
            self._on_problem(view, error)
        else:
            self._on_message(view, picture)

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


def keep_buffers() -> None:
    """Have the C library keep the memory of pictures, not give it back and ask for it again.

    The kernel clears every page anew, which can cost more than all else that is done with them.
    """
    with suppress(AttributeError, OSError):  # not the GNU C library
        library = ctypes.CDLL(None)
        library.mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
        library.mallopt(_MMAP_THRESHOLD, _LARGEST_BYTES)
