# SPDX-License-Identifier: Apache-2.0
"""Quick work is always done; slow work only as often as its share of the time allows."""

from __future__ import annotations

import pytest

from vidplan.planning_server.share_of_time import ShareOfTime


@pytest.mark.parametrize(
    ('share', 'takes_s', 'done'),
    [
        pytest.param(0.25, 0.0, [0, 1, 2, 3, 4, 5, 6, 7], id='quick'),
        pytest.param(0.25, 0.25, [0, 1, 2, 3, 4, 5, 6, 7], id='within its share'),
        pytest.param(0.25, 0.5, [0, 2, 4, 6], id='twice its share'),
        pytest.param(1.0, 0.5, [0, 1, 2, 3, 4, 5, 6, 7], id='never rests'),
    ],
)
def test_rests(share: float, takes_s: float, done: list[int]) -> None:
    clock_s, seen = [0.0], []
    limited = ShareOfTime(share, lambda: clock_s[0])

    def work() -> None:
        seen.append(second)
        clock_s[0] += takes_s

    for second in range(8):
        clock_s[0] = float(second)
        limited.do(work)
    assert seen == done
