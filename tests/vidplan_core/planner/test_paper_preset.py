# SPDX-License-Identifier: Apache-2.0
"""The paper's objective and the ways to sample: what the configuration says is what is done."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.vidplan_core.planner.test_planning_with_heads import (  # noqa: F401
    BOTH,
    VALUE_ONLY,
    context,
    parts,
    planner,
    situation,
)
from vidplan.cli.evaluate.loading import planner_config
from vidplan_core.errors import ConfigError
from vidplan_core.planner.config import PlannerConfig
from vidplan_core.planner.interfaces import Situation
from vidplan_core.planner.objective.centring import CentringTerm
from vidplan_core.planner.objective.combination import UncertaintyPenalty, entropy_weighted
from vidplan_core.planner.target.locating import Sighting

CONFIG = Path(__file__).resolve().parents[3] / 'config'
PAPER = planner_config(CONFIG / 'paper.yaml')


def seen(centroids: list[list[float]], certainty: list[float]) -> Sighting:
    """A frame whose views show the target there, each as certain."""
    views = len(centroids)
    sure = torch.tensor([certainty])
    nowhere = torch.zeros(1, views, 3)
    return Sighting(nowhere, sure, sure, torch.zeros(1, views, 2, 2), torch.tensor([centroids]))


class OneFrame:
    """A frame that shows a sighting."""

    def __init__(self, sighting: Sighting | None) -> None:
        self.sighting = sighting


@pytest.mark.parametrize(
    ('centroids', 'certainty', 'distance'),
    [
        ([[0.5, 0.5]], [1.0], 0.0),
        ([[0.9, 0.2]], [1.0], 0.5),
        ([[0.5, 0.5], [0.5, 0.8]], [1.0, 1.0], 0.15),
        ([[0.5, 0.5], [0.5, 0.5]], [1.0, 0.0], 0.5),
    ],
    ids=['centred', 'off', 'mean', 'out of sight'],
)
def test_centring_is_the_distance_in_the_picture(
    centroids: list[list[float]], certainty: list[float], distance: float
) -> None:
    evidence = CentringTerm(1.0).evidence(OneFrame(seen(centroids, certainty)))  # type: ignore[arg-type]
    assert evidence is not None
    assert float(evidence[0]) == pytest.approx(-distance, abs=1e-3)


def test_centring_says_nothing_without_pictures() -> None:
    assert CentringTerm(1.0).evidence(OneFrame(None)) is None  # type: ignore[arg-type]


def test_entropy_weighs_what_terms_add_and_never_rewards_doubt() -> None:
    zero = torch.zeros(3)
    terms = [(zero, torch.full((3,), 0.8)), (zero, torch.full((3,), -0.3))]
    found = entropy_weighted(terms, torch.tensor([0.0, 0.5, 1.0]), UncertaintyPenalty())
    torch.testing.assert_close(found, torch.tensor([0.5, 0.1, -0.3]))
    torch.testing.assert_close(
        entropy_weighted(terms, None, UncertaintyPenalty()), torch.full((3,), 0.5)
    )


def test_the_preset_is_the_papers() -> None:
    assert (PAPER.sampling.kind, PAPER.sampling.steps) == ('flow_map', 4)
    assert PAPER.score_frames == (1, 2, 3, 4)
    assert PAPER.refine_sampling.gradient == 'last'
    assert {n for n, w in PAPER.weights.items() if w} == {'relevancy', 'centring'}
    assert PAPER.refine_weights == {'value': 1.0}
    assert (PAPER.combination, PAPER.refine_iterations) == ('entropy_weighted', 5)
    assert PAPER.margin == PlannerConfig().margin  # what it does not name stays


def of_the_paper() -> dict:
    """Its objective, sampled as fast as a test needs."""
    names = ('weights', 'refine_weights', 'combination', 'score_frames', 'gradient')
    return {name: getattr(PAPER, name) for name in names}


def test_candidates_are_chosen_by_pictures_and_refined_by_value(
    situation: Situation,  # noqa: F811
) -> None:
    planned = planner(BOTH, **of_the_paper(), refine_iterations=2)
    plan = planned.plan(situation)
    assert {'relevancy', 'off_centre', 'uncertainty'} <= set(plan.terms)
    assert planned.ascended is not None
    with torch.no_grad():
        ascended = planned.ascended.at(situation)
        found = ascended(plan.chunk, planned.dynamics.predict(situation, plan.chunk))
    assert set(found.terms) == {'value', 'uncertainty'}  # no prior, so rest is not imagined
    assert plan.refinement[-1] >= plan.refinement[0]
    assert float(found.total[0]) == pytest.approx(max(plan.refinement), abs=1e-6)
    assert plan.score == pytest.approx(float(plan.scores[plan.best]))


def test_a_preset_whose_heads_are_missing_is_refused() -> None:
    with pytest.raises(ConfigError, match='no term is left'):
        planner(None, **of_the_paper())


@pytest.mark.parametrize(
    'method', ['kinematic', 'no_refine', 'no_imagination', 'no_uncertainty', 'discard']
)
def test_other_methods_take_the_preset_too(
    method: str,
    situation: Situation,  # noqa: F811
) -> None:
    planned = planner(BOTH, **of_the_paper(), method=method, refine_iterations=1)
    assert planned.plan(situation).chunk.position.isfinite().all()


def test_refinement_is_sampled_as_configured() -> None:
    found = parts(VALUE_ONLY, steps=1, refine_steps=3, guidance_last=2.0, checkpointing=True)
    assert found.config.sampling.steps == 1
    assert found.refining is not None
    sampling = found.refining.sampling
    assert (sampling.steps, sampling.checkpointing, sampling.guided) == (3, True, True)
    assert parts(VALUE_ONLY).refining is None


@pytest.mark.parametrize('text', ['combination: sure', 'refine_steps: -1', 'centre: [0.5]'])
def test_impossible_options_are_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / 'mine.yaml'
    file.write_text(f'/**/planner:\n  ros__parameters:\n    {text}\n')
    with pytest.raises(ConfigError, match=text.partition(':')[0]):
        planner_config(file)
