# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from vidplan.ros.diagnostics import DurationMeter, RateMeter


def test_rate_over_a_window() -> None:
    now = [0.0]
    meter = RateMeter(window_s=1.0, now=lambda: now[0])
    assert (meter.hz, meter.age_s) == (0.0, math.inf)
    for _ in range(30):
        now[0] += 0.1
        meter.tick()
    assert meter.hz == pytest.approx(10.0)
    assert meter.count == 30
    now[0] += 5.0
    assert (meter.hz, meter.age_s) == (0.0, pytest.approx(5.0))


def test_percentiles_of_the_last_durations() -> None:
    meter = DurationMeter(size=100)
    assert math.isnan(meter.percentile_s(50.0))
    for duration_s in range(200):
        meter.add(float(duration_s))
    assert meter.percentile_s(0.0) == 100.0
    assert meter.percentile_s(100.0) == 199.0
    assert meter.values('work').keys() == {'work_p50_s', 'work_p99_s'}
