# SPDX-License-Identifier: Apache-2.0
"""The witness: far enough, not aside, standing, let go, for long enough; reasons of failures."""

from __future__ import annotations

import numpy as np
import pytest

from vidplan_eval.suites.push.judge import PushMoment, PushVerdict, PushWitness

HERE = np.array([0.5, 0.0, 0.03])
Place = tuple[float, float, float]


def seen(*moments: tuple[Place, str], limit_s: float = 10.0) -> PushVerdict:
    """The verdict on where a mug went (m) and what was touched, 0.2 s apart; it is to go left."""
    mug = {'mug': HERE, 'pea': np.zeros(3)}
    witness = PushWitness(PushMoment(0.0, mug), 'mug', 'left', limit_s)
    for number, (went, touched) in enumerate(moments, 1):
        kinds = frozenset({touched} - {''})
        witness.see(PushMoment(0.2 * number, mug | {'mug': HERE + went}, kinds))
    return witness.verdict()


@pytest.mark.parametrize(
    ('went', 'touched', 'success', 'failure'),
    [
        ((0.0, 0.10, 0.0), '', True, ''),
        ((0.039, 0.061, 0.0), '', True, ''),
        ((0.0, 0.059, 0.0), '', False, 'pushed it too little'),
        ((0.041, 0.10, 0.0), '', False, 'pushed it aside'),
        ((0.0, 0.10, -0.01), '', False, 'fell over'),
        ((0.0, 0.36, 0.0), '', False, 'pushed it out'),
        ((0.0, 0.10, 0.0), 'mug', False, 'did not leave it'),
        ((0.01, 0.01, 0.0), '', False, 'did not move it'),
        ((0.0, -0.1, 0.0), '', False, 'pushed it too little'),
    ],
)
def test_success_has_margins(went: Place, touched: str, success: bool, failure: str) -> None:
    verdict = seen((went, 'mug'), *[(went, touched)] * 4)
    assert (verdict.success, verdict.kept, verdict.failure) == (success, success, failure)
    assert verdict.touched_named_first


def test_nothing_touched_is_told() -> None:
    assert seen(*[((0.0, 0.0, 0.0), '')] * 3).failure == 'touched nothing'


def test_what_still_moves_does_not_count_yet() -> None:
    moments = [((0.0, 0.06 + 0.01 * k, 0.0), '') for k in range(5)]
    assert not seen(((0.0, 0.05, 0.0), 'pea'), *moments).success


def test_a_push_after_the_limit_comes_too_late() -> None:
    late = seen(*[((0.0, 0.0, 0.0), 'mug')] * 5, *[((0.0, 0.1, 0.0), '')] * 4, limit_s=1.0)
    assert (late.success, late.kept, late.failure) == (False, True, 'came too late')
