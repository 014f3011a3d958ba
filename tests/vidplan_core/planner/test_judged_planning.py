# SPDX-License-Identifier: Apache-2.0
"""Planning with heads: doubt lowers scores, gradients are exact, no heads change nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tests.fakes.tiny import straight_chunk, tiny_world_model
from vidplan_core.geometry.camera import load_cameras
from vidplan_core.heads.conformal import LowerBound
from vidplan_core.heads.grounding import Reading
from vidplan_core.language.relevancy import Localisation
from vidplan_core.planner.config import PlannerConfig
from vidplan_core.planner.judge import Judge, Judgement
from vidplan_core.planner.objective.reach import ReachObjective
from vidplan_core.planner.planner import Planner, Start
from vidplan_core.world_model.sampler import SamplingConfig
from vidplan_core.world_model.world_model import Context, Imagination

CAMERAS = Path(__file__).resolve().parents[3] / 'models' / 'cell' / 'cameras.json'
MEMORY = torch.tensor([0.5, 0.05, 0.03])


class RedScorer:
    """How red a patch of 8 x 8 pixels is; everything about it is smooth."""

    def relevancy(self, images: Tensor, phrase: str) -> Tensor:
        patches = torch.nn.functional.avg_pool2d(images, 8)
        return torch.sigmoid(4.0 * (patches[:, 0] - patches[:, 1]))

    def localise(self, relevancy: Tensor) -> Localisation:
        weights = torch.softmax(20.0 * relevancy.flatten(1), -1).view_as(relevancy)
        rows, columns = relevancy.shape[-2:]
        x = (torch.arange(columns, dtype=relevancy.dtype) + 0.5) / columns
        y = (torch.arange(rows, dtype=relevancy.dtype) + 0.5) / rows
        centroid = torch.stack([(weights * x).sum((-2, -1)), (weights.mT * y).sum((-2, -1))], -1)
        peak = relevancy.amax((-2, -1))
        return Localisation(peak, centroid, peak, peak > 0.5)


class SmoothDoubt:
    """A smooth function of every imagined latent."""

    def judge(self, imagination: Imagination, frames: list[int]) -> SimpleNamespace:
        change = imagination.latents[:, frames] - imagination.condition.history[:, -1:]
        entropy = torch.sigmoid(change + 0.2 * torch.sin(3.0 * change))
        return SimpleNamespace(entropy=entropy)


class SmoothValue:
    """A smooth function of the new frames."""

    def judge(self, imagination: Imagination, reading: Reading) -> Tensor:
        return torch.sigmoid(imagination.latents[:, 1:, 0].mean((-2, -1)))


DOUBT, VALUE = SmoothDoubt(), SmoothValue()
NO_WORDS = Reading(torch.zeros(1, 0), torch.zeros(1, 0, 12, 8))
BOTH = Judge(DOUBT, VALUE, lambda present, instruction: NO_WORDS)


def planner(judge: Judge | None = None, **changes) -> Planner:
    """A planner on a tiny world model in full precision."""
    config = PlannerConfig(**{'usual_uncertainty': 0.2, **changes})
    model = tiny_world_model().double()
    cameras = load_cameras(CAMERAS, model.config.views)
    return Planner(model, ReachObjective(RedScorer(), 0.55, cameras, config), config, judge=judge)


@pytest.fixture(scope='module')
def context() -> Context:
    images = torch.randint(
        0, 256, (1, 2, 96, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(3)
    )
    poses = straight_chunk(torch.zeros(1, 3), frames=2).to(torch.float64)
    return tiny_world_model().double().context(images, poses)


@pytest.fixture
def start() -> Start:
    chunk = straight_chunk(torch.zeros(1, 3)).to(torch.float64)
    q = torch.tensor([0.0, -0.785, 0.0, -2.356, 0.0, 1.571, 0.785], dtype=torch.float64)
    return Start(chunk.position[0, 0], chunk.rotation[0, 0], torch.zeros(3).double(), q, 0.0)


def score_of(planner: Planner, context: Context, start: Start, motion: Tensor) -> Tensor:
    """Score of one motion (1, 3), as refinement climbs it."""
    chunk = planner.chunk(start, motion)
    staying = planner._staying(context, start, NO_WORDS)
    score, _ = planner._imagine(context, chunk, 'red', MEMORY.double(), NO_WORDS, staying)
    return score.total[0]


@pytest.mark.parametrize(
    ('judge', 'changes'),
    [
        (BOTH, {}),
        (Judge(DOUBT), {'score_frames': (2, 4), 'frame_softness': 0.3}),
        (Judge(None, VALUE, BOTH.read), {'value_weight': 20.0}),
        (replace(BOTH, bound=LowerBound(0.1, 0.1, 50)), {'uncertainty_discount': 3.0}),
        (BOTH, {'uncertainty_discount': 3.0, 'value_weight': 20.0}),
    ],
    ids=['both', 'uncertainty', 'value', 'bound', 'staying'],
)
def test_gradients_agree_with_differences(
    judge: Judge, changes: dict, context: Context, start: Start
) -> None:
    planned = planner(judge, **changes)
    motion = torch.tensor([[0.05, 0.03, -0.04]], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(score_of(planned, context, start, motion), motion)
    step = 1e-5
    for axis in range(3):
        nudge = torch.zeros(1, 3, dtype=torch.float64)
        nudge[0, axis] = step
        with torch.no_grad():
            up, down = (
                float(score_of(planned, context, start, motion + side * nudge)) for side in (1, -1)
            )
        slope = (up - down) / (2 * step)
        assert float(gradient[0, axis]) == pytest.approx(slope, rel=1e-3, abs=1e-3)


def test_no_heads_plan_exactly_as_before(context: Context, start: Start) -> None:
    without, asleep = planner(), planner(Judge())
    plans = [p.plan(context, start, 'red', MEMORY.double()) for p in (without, asleep)]
    assert set(plans[0].terms) == {'relevancy', 'distance_m'}
    assert torch.equal(plans[0].scores, plans[1].scores)
    assert torch.equal(plans[0].chunk.position, plans[1].chunk.position)
    config = without.config
    first = plans[0].best
    value = (
        config.relevancy_weight * plans[0].terms['relevancy']
        - config.distance_weight * plans[0].terms['distance_m']
    )
    assert float(plans[0].scores[first]) == pytest.approx(value, abs=1e-6)


def test_heads_without_weights_change_no_score(context: Context, start: Start) -> None:
    indifferent = planner(
        BOTH, value_weight=0.0, uncertainty_discount=0.0, uncertainty_weight=0.0
    )
    plain = planner()
    chunk = plain.propose(start, MEMORY.double())
    expected, _ = plain.evaluate(context, start, chunk, 'red', MEMORY.double())
    score, _ = indifferent.evaluate(context, start, chunk, 'red', MEMORY.double())
    torch.testing.assert_close(score.total, expected.total)
    assert {'uncertainty', 'value'} <= set(score.terms)


def test_refinement_climbs_the_penalised_objective(context: Context, start: Start) -> None:
    judged = planner(BOTH, refine_iterations=4)
    plan = judged.plan(context, start, 'red', MEMORY.double())
    expected = {'relevancy', 'distance_m', 'uncertainty', 'value', 'value_staying'}
    assert set(plan.terms) == expected
    assert list(plan.refinement) == sorted(plan.refinement)
    motion = plan.chunk.position[:, -1] - start.position
    with torch.no_grad():
        assert plan.score == pytest.approx(float(score_of(judged, context, start, motion)), 1e-6)


def test_values_count_beside_that_of_staying(context: Context, start: Start) -> None:
    weighted = planner(BOTH, value_weight=5.0)
    plan = weighted.plan(context, start, 'red', MEMORY.double())
    with torch.no_grad():
        imagination = weighted.world_model.imagine(
            context, weighted.still(start), weighted.config.sampling, weighted.config.seed
        )
    staying = VALUE.judge(imagination, NO_WORDS)[0, -1]
    assert plan.terms['value_staying'] == pytest.approx(float(staying), abs=1e-9)
    assert list(plan.refinement) == sorted(plan.refinement)


def test_staying_is_imagined_only_where_a_score_depends_on_it(
    context: Context, start: Start
) -> None:
    undoubting = planner(Judge(None, VALUE, BOTH.read), value_weight=5.0)
    assert undoubting._staying(context, start, NO_WORDS) is None
    assert planner(BOTH, value_weight=0.0)._staying(context, start, NO_WORDS) is None


@pytest.mark.parametrize(('value', 'lost'), [(0.9, 0.0), (0.5, 2.0), (1.0, 0.0)])
def test_only_worse_values_are_lost_without_any_trust(
    context: Context, value: float, lost: float
) -> None:
    doubtful = planner(
        value_weight=5.0, uncertainty_discount=1000.0, uncertainty_weight=0.0, distance_weight=0.0
    )
    images = torch.full((1, 1, 3, 3, 32, 64), 0.5, dtype=torch.float64)
    pose = straight_chunk(torch.zeros(1, 3)).to(torch.float64)
    judgement = Judgement(
        torch.ones(1, 1, 4, 12, 8).double(),
        torch.tensor([[value]]).double(),
        torch.tensor([[0.9]]).double(),
    )
    score = doubtful.objective.score(
        images, pose.position[:, -1:], pose.rotation[:, -1:], 'red', MEMORY.double(), judgement
    )
    assert float(score.total) == pytest.approx(5.0 * 0.9 - lost, abs=1e-6)


@given(st.integers(0, 2**31), st.floats(0.0, 1.0), st.booleans())
def test_raising_uncertainty_never_raises_a_score(
    context: Context, seed: int, more: float, everywhere: bool
) -> None:
    generator = torch.Generator().manual_seed(seed)
    objective = planner(value_weight=3.0).objective
    images = torch.rand(2, 1, 3, 3, 32, 64, generator=generator, dtype=torch.float64)
    pose = straight_chunk(0.2 * torch.rand(2, 3, generator=generator) - 0.1).to(torch.float64)
    uncertainty = torch.rand(2, 1, 4, 12, 8, generator=generator, dtype=torch.float64)
    value, staying = torch.rand(2, 2, 1, generator=generator, dtype=torch.float64)
    higher = torch.rand(uncertainty.shape, generator=generator, dtype=torch.float64)
    higher = torch.ones_like(higher) if everywhere else higher
    raised = uncertainty + more * higher * (1.0 - uncertainty)
    low, high = (
        objective.score(
            images, pose.position[:, -1:], pose.rotation[:, -1:], 'red', MEMORY.double(),
            Judgement(map_, value, staying[:1]),
        ).total
        for map_ in (uncertainty, raised)
    )  # fmt: skip
    assert (high <= low + 1e-9).all()


def test_a_bound_lowers_the_value(context: Context) -> None:
    model = tiny_world_model().double()
    chunk = straight_chunk(torch.zeros(1, 3)).to(torch.float64)
    imagination = model.imagine(context, chunk, SamplingConfig())
    plain = Judge(None, VALUE, BOTH.read).judge(imagination, NO_WORDS, [2, 4]).value
    assert plain.shape == (1, 2)
    judge = replace(Judge(None, VALUE, BOTH.read), bound=LowerBound(0.1, 0.2, 99))
    found = judge.judge(imagination, NO_WORDS, [2, 4]).value
    torch.testing.assert_close(found, (plain - 0.2).clamp_min(0))
