# SPDX-License-Identifier: Apache-2.0
"""What the planning server's nodes share: plans do not wait for pictures."""

from __future__ import annotations

import threading
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from vidplan.planning_server.planning_host import PlanningHost


def test_no_plan_waits_for_pictures_and_only_the_newest_is_drawn() -> None:
    host, shown, errors = PlanningHost(), list[str](), list[Exception]()
    drawing, go_on, last = threading.Event(), threading.Event(), threading.Event()

    def viewer(plan: Any, _: Any) -> None:
        drawing.set()
        go_on.wait(30.0)
        shown.append(plan)
        if plan == 'c':
            last.set()
        raise ValueError(plan)

    host.viewers.append(viewer)
    host.on_failure = errors.append
    host.show('a', None)  # type: ignore[arg-type]
    assert drawing.wait(30.0)
    assert host.submit(lambda: 'planned').result(30.0) == 'planned'
    host.show('b', None)  # type: ignore[arg-type]
    host.show('c', None)  # type: ignore[arg-type]
    go_on.set()
    assert last.wait(30.0)
    host.close()
    assert shown == ['a', 'c']
    assert str(errors[0]) == 'a'


def test_closing_waits_for_a_picture_that_is_being_drawn() -> None:
    host, shown = PlanningHost(), list[str]()
    drawing, go_on = threading.Event(), threading.Event()

    def viewer(plan: Any, _: Any) -> None:
        drawing.set()
        go_on.wait(30.0)
        shown.append(plan)

    host.viewers.append(viewer)
    host.show('a', None)  # type: ignore[arg-type]
    host.show('b', None)  # type: ignore[arg-type]
    assert drawing.wait(30.0)
    closing = threading.Thread(target=host.close)
    closing.start()
    go_on.set()
    closing.join(30.0)
    assert shown == ['a']
