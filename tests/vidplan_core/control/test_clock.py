# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from vidplan_core.control.clock import ClockWatch


class Clocks:
    """Two clocks that tests set; every reading of the steady one takes a while."""

    def __init__(self, reading_s: float) -> None:
        self.now_s, self.steady_s, self.reading_s = 1e9, 50.0, reading_s

    def steady(self) -> float:
        self.steady_s += self.reading_s
        return self.steady_s

    def run(self, step_s: float = 0.0) -> None:
        self.steady_s += 0.02
        self.now_s += 0.02 + step_s


@pytest.mark.parametrize('step_s', [0.0, 0.03, -0.03, 0.1, -0.1, 3600.0, -3600.0])
def test_a_step_is_told_once(step_s: float) -> None:
    clocks = Clocks(0.0)
    watch = ClockWatch(lambda: clocks.now_s, clocks.steady)
    assert watch.step() == 0.0
    clocks.run(step_s)
    assert watch.step() == pytest.approx(step_s if abs(step_s) > 0.05 else 0.0, abs=1e-5)
    clocks.run()
    assert watch.step() == 0.0


def test_readings_that_something_came_between_say_nothing() -> None:
    clocks = Clocks(0.0)
    watch = ClockWatch(lambda: clocks.now_s, clocks.steady)
    watch.step()
    clocks.reading_s = 0.2
    clocks.run()
    assert watch.step() == 0.0
    clocks.reading_s = 0.0
    clocks.now_s += 0.4
    assert watch.step() == 0.0
