# SPDX-License-Identifier: Apache-2.0
"""The witness: folded, let go, in time, and for long enough; the reasons of failures."""

from __future__ import annotations

import numpy as np
import pytest

from tests.vidplan_eval.suites.fold.test_halves import made
from vidplan_eval.suites.fold.halves import FOLDS
from vidplan_eval.suites.fold.judge import FoldVerdict, FoldWitness, TowelMoment
from vidplan_sim.objects import cloth

FLAT, HALF = cloth.flat(0.5, 0.0, 0.0), made(FOLDS[0])


def seen(*moments: tuple[np.ndarray, bool], limit_s: float = 10.0) -> FoldVerdict:
    """The verdict on moments (mesh, touched), 0.2 s apart, after a flat first one."""
    witness = FoldWitness(TowelMoment(0.0, FLAT), limit_s)
    for number, (mesh, touched) in enumerate(moments, 1):
        witness.see(TowelMoment(0.2 * number, mesh, touched))
    return witness.verdict()


def test_folded_and_let_go_for_long_enough() -> None:
    verdict = seen((HALF, True), (HALF, False), (HALF, False), (HALF, False))
    assert (verdict.success, verdict.kept, verdict.failure) == (True, True, '')
    assert verdict.folded_s == pytest.approx(0.8)


@pytest.mark.parametrize(
    ('moments', 'failure'),
    [
        ([(FLAT, False)] * 4, 'touched nothing'),
        ([(FLAT, True)] * 4, 'touched it without moving it'),
        ([(FLAT + [0.05, 0.0, 0.0], True)] * 4, 'moved it without folding it'),
        ([(HALF, True)] * 4, 'folded it without letting go'),
    ],
)
def test_failures_are_named(moments: list[tuple[np.ndarray, bool]], failure: str) -> None:
    verdict = seen(*moments)
    assert (verdict.success, verdict.failure) == (False, failure)


def test_a_fold_that_springs_open_does_not_count() -> None:
    verdict = seen((HALF, False), (FLAT, False), (HALF, False), (FLAT, False))
    assert not verdict.success


def test_a_fold_after_the_limit_comes_too_late() -> None:
    verdict = seen(*[(FLAT, True)] * 5, *[(HALF, False)] * 4, limit_s=1.0)
    assert (verdict.success, verdict.kept, verdict.failure) == (False, True, 'came too late')
