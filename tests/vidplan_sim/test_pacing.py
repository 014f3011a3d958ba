# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from vidplan_sim.ros.pacing import RealTimePacer


class FakeTime:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def run(pacer: RealTimePacer, clock: FakeTime, duration_s: float, every_s: float) -> int:
    ticks = 0
    for _ in range(round(duration_s / every_s)):
        clock.now_s += every_s
        ticks += pacer.due()
    return ticks


@pytest.mark.parametrize('every_s', [0.004, 0.01, 0.013, 0.05])
@pytest.mark.parametrize('factor', [1.0, 0.5])
def test_follows_the_wall_clock(every_s: float, factor: float) -> None:
    clock = FakeTime()
    pacer = RealTimePacer(0.01, factor, now=clock)
    ticks = run(pacer, clock, 2.6, every_s)
    assert ticks == pytest.approx(260 * factor, abs=2)
    assert pacer.factor() == pytest.approx(factor, rel=0.02)
    assert pacer.lost_s == 0.0


def test_never_overtakes() -> None:
    clock = FakeTime()
    pacer = RealTimePacer(0.01, now=clock)
    assert [pacer.due() for _ in range(5)] == [0] * 5
    clock.now_s += 0.03
    assert [pacer.due(), pacer.due()] == [3, 0]


def test_a_long_delay_is_lost_not_replayed() -> None:
    clock = FakeTime()
    pacer = RealTimePacer(0.01, max_backlog_s=0.1, now=clock)
    clock.now_s += 1.0
    assert pacer.due() == 10
    assert pacer.lost_s == pytest.approx(0.9)
    assert run(pacer, clock, 1.0, 0.01) == pytest.approx(100, abs=1)


def test_another_pace_counts_from_when_it_is_set() -> None:
    clock = FakeTime()
    pacer = RealTimePacer(0.01, 1.0, max_backlog_s=1.0, now=clock)
    clock.now_s += 0.2
    pacer.follow(0.25)
    assert pacer.wanted == 0.25
    clock.now_s += 0.4
    assert pacer.due() == 20 + 10


def test_forgiven_time_does_not_pass() -> None:
    clock = FakeTime()
    pacer = RealTimePacer(0.01, now=clock)
    clock.now_s += 0.08
    pacer.forgive()
    assert pacer.due() == 0


@pytest.mark.parametrize('arguments', [(0.0, 1.0, 0.1), (0.01, 1.5, 0.1), (0.01, 1.0, 0.001)])
def test_impossible_settings(arguments: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match='needs tick_s > 0'):
        RealTimePacer(*arguments)
