# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vidplan_eval.suites.adapter.independent_arm import IndependentArm
from vidplan_eval.suites.adapter.law import Law, try_plans

HOME = np.array([0.0, -np.pi / 4, 0.0, -3 * np.pi / 4, 0.0, np.pi / 2, np.pi / 4])
STILL = np.zeros(7)
EVERYWHERE = (-9.0, -9.0, -9.0), (9.0, 9.0, 9.0)
BESIDE = (0.15, 0.15, 0.2), (0.3, 0.35, 0.7)
FIRST = np.eye(7)[0]


def found(
    to: np.ndarray, duration_s: float = 3.0, dq: np.ndarray = STILL, before: np.ndarray = STILL
) -> set[str]:
    arm = IndependentArm(HOME, [BESIDE], EVERYWHERE, EVERYWHERE)
    arm.follow([duration_s], [to], [dq], [STILL], 0.0)
    return arm.violations(before)


@pytest.mark.parametrize(
    ('what', 'expected'),
    [
        ({'to': HOME - 0.2 * FIRST}, set()),
        ({'to': HOME - 0.2 * FIRST, 'duration_s': 0.3}, {'acceleration'}),
        ({'to': HOME - 0.1 * FIRST, 'duration_s': 0.05}, {'acceleration', 'velocity', 'jerk'}),
        ({'to': HOME - 1.5 * FIRST, 'duration_s': 1.0}, {'velocity'}),
        ({'to': HOME, 'before': 9.0 * FIRST}, {'jerk'}),
        ({'to': HOME, 'dq': 1e-3 * FIRST}, {'rest_at_end'}),
        ({'to': HOME + 0.8 * FIRST}, {'box'}),
        ({'to': np.array([0.0, 1.5, 0.0, -1.0, 0.0, 2.5, 0.8])}, {'link_table'}),
        ({'to': np.array([0.0, 0.5, 0.0, -3.0, 0.0, 0.6, 0.8])}, {'self_collision'}),
        ({'to': np.array([0.0, -0.8, 0.0, -3.06, 0.0, 1.6, 0.8])}, {'position'}),
    ],
    ids=lambda value: '_'.join(sorted(value)) if isinstance(value, set) else '',
)
def test_every_rule_that_is_broken_is_named(what: dict, expected: set[str]) -> None:
    assert found(**what) >= expected
    assert expected or not found(**what)


def test_what_the_adapter_lets_pass_breaks_no_rule_and_a_run_goes_on(tmp_path: Path) -> None:
    path = tmp_path / 'law.json'
    result = try_plans(100, 3, path)
    assert result['accepted'] > 20
    assert not any(result['violations'].values())
    assert not result['exceptions']
    assert 0 < result['compute_p50_ms'] <= result['compute_p99_ms']
    assert try_plans(100, 3, path) == result
    with pytest.raises(ValueError, match='other settings'):
        try_plans(100, 4, path)


def test_quantiles_are_those_of_the_bins() -> None:
    law = Law()
    for value in (1.0, 2.0, 3.0, 100.0):
        law.time(value)
    assert law.quantile_ms(0.5) == pytest.approx(2.0, rel=0.03)
    assert law.compute_max_ms == 100.0
