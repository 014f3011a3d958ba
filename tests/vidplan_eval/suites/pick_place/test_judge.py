# SPDX-License-Identifier: Apache-2.0
"""The judge: what counts as placed, as following the instruction, as going wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from vidplan_eval.suites.pick_place.judge import EpisodeVerdict, TrueMoment, Witness

HOME = {'fish': (0.5, 0.0, 0.03), 'mug': (0.5, 0.1, 0.04), 'bowl': (0.4, -0.1, 0.03)}
IN_BOWL = (0.42, -0.1, 0.05)
LIFTED = (0.5, 0.0, 0.12)


def moment(time_s: float, touched: Sequence[str] = (), held: str = '', tool: str = 'fish',
           **moved: tuple[float, float, float]) -> TrueMoment:
    """A moment with objects where they were, but for those that are given places."""
    places = {kind: np.array(place) for kind, place in {**HOME, **moved}.items()}
    return TrueMoment(time_s, places, frozenset(touched), held, np.array(HOME[tool]))


def judge(*moments: TrueMoment, limit_s: float = 18.0) -> EpisodeVerdict:
    witness = Witness('fish', moment(0.0), limit_s)
    for now in moments:
        witness.see(now)
    return witness.verdict()


def placed(*times_s: float, **changes: str) -> list[TrueMoment]:
    return [moment(time_s, fish=IN_BOWL, **changes) for time_s in times_s]


def test_in_the_bowl_for_two_looks_is_a_success():
    found = judge(*placed(5.0, 5.2, 5.4))
    assert (found.success, found.kept, found.failure) == (True, True, '')
    assert found.placed_s == pytest.approx(5.4)


@pytest.mark.parametrize(
    'moments',
    [
        placed(5.0, 5.2),
        placed(5.0, 5.4, held='fish'),
        [*placed(5.0, 5.2), moment(5.3), *placed(5.4, 5.6)],
        placed(17.8, 18.2, 18.4),
    ],
    ids=['too short', 'still held', 'not all the time', 'too late'],
)
def test_less_is_none(moments):
    found = judge(*moments)
    assert (found.success, found.placed_s) == (False, None)
    assert found.failure


def test_what_is_taken_out_again_was_placed_but_not_kept():
    found = judge(*placed(5.0, 5.4), moment(6.0, fish=LIFTED))
    assert (found.success, found.kept) == (True, False)


@pytest.mark.parametrize(
    ('moments', 'went_for', 'moved_named', 'touched_named'),
    [
        ([moment(1.0, ['fish']), moment(2.0, fish=LIFTED)], 'fish', True, True),
        ([moment(1.0, ['mug', 'bowl']), moment(2.0, fish=LIFTED)], 'fish', True, False),
        ([moment(1.0, mug=(0.5, 0.12, 0.04)), moment(2.0, fish=LIFTED)], 'fish', False, False),
        ([moment(1.0, ['mug'], tool='mug'), moment(2.0, fish=LIFTED)], 'mug', True, False),
        ([moment(1.0, mug=(0.5, 0.11, 0.04))], '', False, False),
        ([moment(1.0, ['bowl'], bowl=(0.3, 0.0, 0.03))], '', False, False),
    ],
    ids=['the named one', 'brushes', 'pushes a neighbour', 'another', 'a centimetre', 'the bowl'],
)
def test_the_instruction_is_followed_by_going_for_the_named_one(
    moments, went_for, moved_named, touched_named
):
    found = judge(*moments)
    assert (found.went_for, found.followed) == (went_for, went_for == 'fish')
    assert (found.moved_named, found.touched_named) == (moved_named, touched_named)


def test_lifting_needs_a_hand():
    thrown = judge(moment(1.0, fish=LIFTED))
    lifted = judge(moment(1.0, ['fish'], fish=LIFTED))
    assert (thrown.first_lifted, lifted.first_lifted) == ('', 'fish')
    assert (thrown.lifted_named, lifted.lifted_named) == (False, True)


@pytest.mark.parametrize(
    ('moments', 'failure'),
    [
        ([moment(1.0)], 'touched nothing'),
        ([moment(1.0, ['mug'], tool='mug')], 'went for another object'),
        ([moment(1.0, ['fish'])], 'went for it without lifting it'),
        ([moment(1.0, ['mug'], mug=(0.5, 0.1, 0.2), tool='mug')], 'lifted another object'),
        ([moment(1.0, ['fish'], fish=LIFTED), moment(2.0)], 'lifted it and lost it'),
        ([moment(18.5, ['fish'], fish=LIFTED), *placed(19.0, 20.0)], 'came too late'),
        ([moment(1.0, mug=IN_BOWL)], 'put another object into the bowl'),
    ],
)
def test_failures_have_kinds(moments, failure):
    found = judge(*moments)
    assert found.failure == failure
    assert found.wrong_in_bowl == (('mug',) if 'bowl' in failure else ())


def test_a_witness_has_seen_enough_some_time_after_success():
    witness = Witness('fish', moment(0.0), 18.0)
    assert not witness.placed_for(0.0)
    for now in placed(5.0, 5.4, 7.3):
        witness.see(now)
    assert witness.placed_for(1.9)
    assert not witness.placed_for(2.0)
