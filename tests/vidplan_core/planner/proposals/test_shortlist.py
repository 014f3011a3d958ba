# SPDX-License-Identifier: Apache-2.0
"""Only what poses alone find promising is imagined; numbers of candidates stay what they were."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.fakes.tiny import straight_chunk
from tests.vidplan_core.planner.test_planning_with_heads import (  # noqa: F401
    BOTH,
    context,
    planner,
    situation,
)
from vidplan_core.data.action import PoseChunk
from vidplan_core.errors import ConfigError
from vidplan_core.planner.interfaces import Score, Situation
from vidplan_core.planner.plans.result import PlanResult
from vidplan_core.planner.proposals.shortlist import Shortlist

PAPERS = {'relevancy': 1.0, 'centring': 0.5, 'distance': 0.0}


class Known:
    """An objective that knows the score of every candidate."""

    def __init__(self, scores: list[float]) -> None:
        self.scores = torch.tensor(scores)

    def at(self, here: Situation):
        return lambda chunk, imagination: Score(self.scores, {})


@pytest.mark.parametrize(
    ('scores', 'most', 'listed'),
    [
        ([0.1, 0.9, 0.5, 0.7], 2, [1, 3]),
        ([0.9, 0.1], 6, [0, 1]),
        ([float('nan'), 0.2, -1.0], 2, [1, 2]),
    ],
    ids=['the best', 'fewer than allowed', 'no number'],
)
def test_the_best_are_listed_in_their_order(scores, most, listed) -> None:
    chunk = straight_chunk(torch.zeros(len(scores), 3))
    found = Shortlist(Known(scores), most).of(SimpleNamespace(), chunk)
    assert found.tolist() == listed


def imagined_by(found) -> list[int]:
    """How many candidates each call of a planner's dynamics was given, from now on."""
    sizes: list[int] = []

    class Counted:
        def predict(self, here: Situation, chunk: PoseChunk):
            sizes.append(len(chunk))
            return dynamics.predict(here, chunk)

    dynamics = found.dynamics
    object.__setattr__(found, 'dynamics', Counted())
    return sizes


def test_a_short_list_is_imagined_and_scored_as_in_the_long_one(
    situation: Situation,  # noqa: F811
) -> None:
    every = planner(BOTH, refine_iterations=0).plan(situation)
    short = planner(BOTH, refine_iterations=0, shortlist=3)
    sizes = imagined_by(short)
    plan = short.plan(situation)
    assert sizes == [3]
    assert len(plan.candidates) == len(plan.scores) == len(every.candidates) == 6
    known = plan.scores.isfinite()
    assert int(known.sum()) == 3
    torch.testing.assert_close(plan.scores[known], every.scores[known])
    assert plan.best == int(plan.scores.argmax())
    chosen = plan.candidates.select(plan.best)
    torch.testing.assert_close(plan.chunk.position, chosen.position)
    if plan.best == every.best:
        torch.testing.assert_close(plan.latents, every.latents)


def test_a_list_of_all_changes_nothing(situation: Situation) -> None:  # noqa: F811
    usual, listed = (
        planner(BOTH, refine_iterations=1, shortlist=most).plan(situation) for most in (0, 6)
    )
    assert usual.best == listed.best
    torch.testing.assert_close(usual.scores, listed.scores)
    torch.testing.assert_close(usual.chunk.position, listed.chunk.position)


def test_methods_that_imagine_nothing_score_every_candidate(
    situation: Situation,  # noqa: F811
) -> None:
    plan = planner(method='kinematic', refine_iterations=0, shortlist=2).plan(situation)
    assert plan.scores.isfinite().all()


def test_terms_that_must_look_cannot_make_a_short_list() -> None:
    with pytest.raises(ConfigError, match='shortlist is 3, but no weighted term is known before'):
        planner(BOTH, PAPERS, shortlist=3)


def test_what_was_not_imagined_is_no_alternative() -> None:
    candidates = straight_chunk(0.1 * torch.eye(3))
    plan = PlanResult(
        True, candidates.select(0), 0.0, candidates, [1.0, -torch.inf, 0.5], 0, 1.0, {},
        np.zeros((1, 1, 1)), np.zeros(3), 0.0, 0.0, 0,
    )  # fmt: skip
    assert [one.best for one in plan.alternatives()] == [2]
