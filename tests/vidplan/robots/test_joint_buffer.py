# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from vidplan.robots.joint_buffer import JointBuffer, JointSample
from vidplan_core.errors import ObservationError


def filled(*stamps_s: float) -> JointBuffer:
    buffer = JointBuffer()
    for stamp_s in stamps_s:
        buffer.push(JointSample(stamp_s, np.full(7, stamp_s), np.full(7, 10 * stamp_s)))
    return buffer


def test_interpolates_between_samples() -> None:
    sample, gap_s = filled(1.0, 1.1, 1.2).at(1.125, max_gap_s=0.05)
    np.testing.assert_allclose(sample.q, 1.125)
    np.testing.assert_allclose(sample.dq, 11.25)
    assert sample.stamp_s == 1.125
    assert gap_s == pytest.approx(0.025)


@pytest.mark.parametrize(('stamp_s', 'q'), [(0.98, 1.0), (1.23, 1.2)], ids=['before', 'after'])
def test_outside_takes_the_nearest(stamp_s: float, q: float) -> None:
    sample, _ = filled(1.0, 1.2).at(stamp_s, max_gap_s=0.05)
    np.testing.assert_allclose(sample.q, q)


@pytest.mark.parametrize(('buffer', 'says'), [
    (filled(), 'no joint state'), (filled(1.0), '0.500 s from the images')])  # fmt: skip
def test_too_far_is_an_error(buffer: JointBuffer, says: str) -> None:
    with pytest.raises(ObservationError, match=says):
        buffer.at(1.5, max_gap_s=0.05)


def test_time_that_runs_backwards_starts_over() -> None:
    buffer = filled(5.0, 5.1, 0.1)
    assert buffer.newest is not None
    assert buffer.newest.stamp_s == 0.1
    with pytest.raises(ObservationError):
        buffer.at(5.1, max_gap_s=0.05)


def test_forgets_and_ignores_repeats() -> None:
    buffer = filled(0.0, 0.5, 0.5, 1.2)
    with pytest.raises(ObservationError):
        buffer.at(0.0, max_gap_s=0.05)
