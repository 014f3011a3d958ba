# SPDX-License-Identifier: Apache-2.0
"""Correlations say how many samples they rest on; moments are sorted by what happens in them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vidplan_core.data.observation import Observation
from vidplan_eval.replay.calibration import calibration_table, rank_correlation
from vidplan_eval.replay.fidelity import MEASURES, Fidelity, FidelityRows
from vidplan_eval.replay.windows import (
    CONTACT,
    FREE,
    KINDS,
    STILL,
    kind_of,
    sliding_windows,
    windows,
)

RNG = np.random.default_rng(0)


def seen(step: int, x: float = 0.0, closed: float = 0.0) -> Observation:
    down = np.array([1.0, 0.0, 0.0, 0.0])
    image = np.zeros((3, 4, 3), np.uint8)
    return Observation(
        0.2 * step, image, np.zeros(7), np.zeros(7), closed, np.array([x, 0, 0.3]), down
    )


@pytest.mark.parametrize(
    ('row', 'kind'),
    [
        ([seen(k) for k in range(5)], STILL),
        ([seen(k, 0.02 * k) for k in range(5)], FREE),
        ([seen(k, closed=0.2 * k) for k in range(5)], CONTACT),
        ([seen(k, 0.02 * k, 0.6) for k in range(5)], CONTACT),
        ([seen(k, 0.02 * k, 1.0) for k in range(5)], FREE),
    ],
    ids=['still', 'moving', 'closing', 'carrying', 'moving with closed fingers'],
)
def test_moments_are_told_apart(row: list[Observation], kind: str) -> None:
    (window,) = windows(row, 1, 5, 0.2)
    assert kind_of(window) == kind


def test_windows_of_a_stream_reach_back_as_the_model_wants() -> None:

    def stream():  # noqa: ANN202 - a generator of observations
        for step in range(100):
            yield seen(step)

    for window in sliding_windows(stream(), 0, 5, 0.2, ages=(8, 4, 0)):
        assert [s.stamp_s for s in window.past] == pytest.approx(
            [0.2 * max(window.index - age, 0) for age in (8, 4, 0)]
        )
        assert window.future[0].stamp_s == window.past[-1].stamp_s
    assert window.index == 95


def test_a_perfect_and_a_random_uncertainty_are_told_apart() -> None:
    error = RNG.random(200)
    assert rank_correlation(error**2, error, 1)['spearman'] == 1.0
    random = rank_correlation(RNG.random(200), error, 1)
    assert random['spearman_95'][0] < 0 < random['spearman_95'][1]


def test_few_samples_say_so() -> None:
    few = rank_correlation(RNG.random(19), RNG.random(19), 1)
    assert few == {'spearman': None, 'spearman_95': None, 'few': True}
    # Windows that share frames are fewer samples than they seem.
    wide, narrow = (rank_correlation(np.arange(60.0), RNG.random(60), k) for k in (5, 1))
    assert np.ptp(wide['spearman_95']) > np.ptp(narrow['spearman_95'])
    assert wide['few']
    assert not narrow['few']


def test_the_table_is_by_kind_and_step() -> None:
    shape = (60, 4, 3)
    found = Fidelity(*(RNG.random(shape) for _ in MEASURES))
    kinds = [KINDS[k % 3] for k in range(60)]
    table = calibration_table(replace(found, error=found.uncertainty), kinds, 0.2)
    assert [(row['moments'], row['step']) for row in table][:5] == [
        ('all', 1), ('all', 2), ('all', 3), ('all', 4), (STILL, 1),
    ]  # fmt: skip
    assert {row['count'] for row in table} == {60, 20}
    assert table[0]['spearman'] == 1.0
    assert table[0]['error'] == pytest.approx(found.uncertainty[:, 0].mean(), abs=1e-5)


def test_windows_far_apart_are_as_many_samples_as_they_seem() -> None:
    found = Fidelity(*(RNG.random((60, 4, 3)) for _ in MEASURES))
    spread = [
        np.ptp(calibration_table(found, [FREE] * 60, 0.2, every)[0]['spearman_95'])
        for every in (1, 2, 5, 50)
    ]
    assert spread[0] > spread[1] > spread[2] == spread[3]


def test_measurements_are_kept_as_they_came_in_few_pieces() -> None:
    parts = [
        Fidelity(*(RNG.random((count, 4, 3), np.float32) for _ in MEASURES)) for count in (2, 2, 1)
    ]
    rows = FidelityRows()
    for part in parts:
        rows.add(part)
    for name in MEASURES:
        np.testing.assert_array_equal(
            getattr(rows.whole(), name), np.concatenate([getattr(part, name) for part in parts])
        )
