# SPDX-License-Identifier: Apache-2.0
"""Keeps messages in the middleware until somebody wants them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.callback_groups import CallbackGroup


class Gate(CallbackGroup):
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
