# SPDX-License-Identifier: Apache-2.0
"""The cell slows down at once where plans come late, and is never faster than real time."""

from __future__ import annotations

import math

import pytest

pytest.importorskip('rclpy')

from vidplan.bringup.cell_pace import FASTER, LEAST, MOST, RECENT, SHARE, CellPace, wanted_factor


@pytest.mark.parametrize(
    ('latency_s', 'wanted'),
    [
        (4.0, SHARE * 0.1),  # too late: at once as slow as it has to be
        (1.0, 0.2 * FASTER),  # could be 0.3: a step towards it
        (0.1, 0.2 * FASTER),
        (1000.0, LEAST),
        (math.nan, 0.2),
        (0.0, 0.2),
    ],
)
def test_wanted_factor(latency_s: float, wanted: float) -> None:
    assert wanted_factor(latency_s, 0.4, 0.2) == pytest.approx(wanted)


def test_never_faster_than_real_time_and_small_changes_are_not_sent() -> None:
    asked: list[float] = []
    pace = CellPace(0.2, asked.append)
    pace.note(3.0, 0.4)
    assert asked == pytest.approx([SHARE * 0.4 / 3.0])
    pace.note(2.9, 0.4)
    assert len(asked) == 1
    for _ in range(RECENT - 1):
        pace.note(0.1, 0.4)
    assert pace.factor == asked[-1] == pytest.approx(SHARE * 0.4 / 3.0)
    for _ in range(30):
        pace.note(0.1, 0.4)
    assert pace.factor == pytest.approx(MOST, rel=0.15)
    assert max(asked) <= MOST


def test_a_pace_that_was_given_is_kept() -> None:
    asked: list[float] = []
    CellPace(0.2, asked.append, keep=True).note(50.0, 0.4)
    assert asked == []
