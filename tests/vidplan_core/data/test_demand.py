# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from vidplan_core.data.demand import FrameDemand
from vidplan_core.errors import ConfigError

VIEWS = 'left', 'wrist'
PERIOD_S, LONGEST_S = 0.2, 0.5


def reads(
    late_s: dict[str, float], camera_hz: float = 60.0, clock: float = 0.0, until_s: float = 20.0
) -> tuple[int, list[float], float]:
    """Let cameras send for a while.

    Args:
        late_s: how late pictures of a view come, s.
        camera_hz: rate of every camera, Hz.
        clock: how far the clock of the stamps is ahead of ours, s.
        until_s: for so long, s.

    Returns:
        How many pictures were read, stamps of the sets, and the largest skew, s.
    """
    demand = FrameDemand(VIEWS, PERIOD_S, LONGEST_S)
    count, sets, skew_s = 0, [], 0.0
    waiting: dict[str, float] = {}
    newest: dict[str, float] = {}
    for step in range(round(until_s * 1000)):
        now_s = step * 1e-3
        for view in VIEWS:
            frame = int((now_s - late_s[view]) * camera_hz)
            if frame >= 0 and frame / camera_hz + clock > newest.get(view, -1e9):
                waiting[view] = frame / camera_hz + clock
            if view in waiting and demand.wants(view, now_s, now_s):
                newest[view] = waiting.pop(view)
                demand.take(view, newest[view], now_s, now_s)
                count += 1
                if demand.complete:
                    sets.append(min(newest.values()))
                    skew_s = max(skew_s, max(newest.values()) - sets[-1])
                    demand.need(max(sets[-1], demand._due_s) + PERIOD_S)
    return count, sets, skew_s


@pytest.mark.parametrize('clock', [0.0, -3600.0, 5.0], ids=['same', 'behind', 'ahead'])
@pytest.mark.parametrize('late_s', [0.0, 0.03, 0.15], ids=['at once', '30 ms', '150 ms'])
def test_about_one_picture_is_read_for_each_set(late_s: float, clock: float) -> None:
    count, sets, skew_s = reads({'left': 0.01, 'wrist': late_s}, clock=clock)
    assert len(sets) == pytest.approx(20.0 / PERIOD_S, abs=8)
    assert count < 2.3 * len(VIEWS) * len(sets)  # of 12 that come for every set and view
    assert skew_s < 0.06


def test_slow_cameras_are_read_whole() -> None:
    count, sets, _ = reads({'left': 0.0, 'wrist': 0.0}, camera_hz=5.0)
    assert len(sets) == pytest.approx(100, abs=3)
    assert count == pytest.approx(2 * len(sets), abs=6)


def after_a_set() -> FrameDemand:
    demand = FrameDemand(VIEWS, PERIOD_S, LONGEST_S)
    for view in VIEWS:
        demand.take(view, 10.0, 10.0, 100.0)
    demand.need(10.2)
    return demand


def test_nothing_is_read_until_it_is_due() -> None:
    demand = after_a_set()
    assert not demand.wants('left', 10.19, 100.19)
    assert demand.next_wait_s(10.1, 100.1) == pytest.approx(0.1)
    assert demand.wants('left', 10.21, 100.21)


def test_a_clock_that_stands_does_not_blind() -> None:
    assert after_a_set().wants('left', 10.0, 100.0 + LONGEST_S)


def test_a_time_that_begins_anew_asks_for_all() -> None:
    demand = after_a_set()
    demand.take('left', 1.0, 1.0, 100.1)
    assert demand.wants('wrist', 1.0, 100.1)


def test_pictures_that_make_no_set_are_followed_by_others() -> None:
    demand = after_a_set()
    demand.take('left', 10.2, 10.2, 100.2)
    assert not demand.complete
    demand.take('wrist', 10.25, 10.25, 100.25)
    assert demand.complete
    demand.need_others()
    assert not demand.complete
    assert not demand.wants('left', 10.3, 100.3)
    assert demand.wants('left', 10.351, 100.351)


@pytest.mark.parametrize(
    ('views', 'period_s', 'longest_s'), [((), 1.0, 1.0), (VIEWS, 0.0, 1.0), (VIEWS, 1.0, -1.0)]
)
def test_an_impossible_demand(
    views: tuple[str, ...], period_s: float, longest_s: float
) -> None:
    with pytest.raises(ConfigError, match='needs views and times above 0'):
        FrameDemand(views, period_s, longest_s)
