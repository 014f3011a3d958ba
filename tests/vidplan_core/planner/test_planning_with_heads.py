# SPDX-License-Identifier: Apache-2.0
"""Planning with heads: uncertainty lowers scores, gradients are exact, no heads change nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tests.fakes.tiny import straight_chunk, tiny_world_model
from tests.fakes.tiny_heads import NEW, Frames
from vidplan_core.errors import ConfigError
from vidplan_core.geometry.camera import load_cameras
from vidplan_core.heads.bundle import Heads
from vidplan_core.heads.conformal import LowerBound
from vidplan_core.heads.grounding import InstructionGrounding
from vidplan_core.language.instruction import Instruction
from vidplan_core.language.relevancy import Localisation
from vidplan_core.planner.compositions import compose
from vidplan_core.planner.config import PlannerConfig
from vidplan_core.planner.interfaces import Score, Situation, Start
from vidplan_core.planner.objective.distance import DistanceTerm
from vidplan_core.planner.objective.frames import ScoredFrames
from vidplan_core.planner.objective.objective import TermObjective
from vidplan_core.planner.objective.relevancy import RelevancyTerm
from vidplan_core.planner.objective.term import Term
from vidplan_core.planner.parts import PlannerParts
from vidplan_core.planner.planner import Planner
from vidplan_core.planner.target.locating import TargetLocator
from vidplan_core.planner.tasks.reach import Reach
from vidplan_core.world_model.sampling.sampler import SamplingConfig
from vidplan_core.world_model.world_model import Context, Imagination

CAMERAS = Path(__file__).resolve().parents[3] / 'models' / 'cell' / 'cameras.json'
TARGET = torch.tensor([0.5, 0.05, 0.03], dtype=torch.float64)
ABOVE = torch.tensor([0.0, 0.0, 0.06], dtype=torch.float64)


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


class SmoothUncertainty:
    """A smooth function of every imagined latent."""

    def predict_error(self, imagination: Imagination, frames: list[int]) -> SimpleNamespace:
        change = imagination.latents[:, frames] - imagination.condition.history[:, -1:]
        entropy = torch.sigmoid(change + 0.2 * torch.sin(3.0 * change))
        return SimpleNamespace(entropy=entropy)


class SmoothValue:
    """A smooth function of the new frames."""

    def predict_value(
        self, imagination: Imagination, grounding: InstructionGrounding, frames: Frames = NEW
    ) -> Tensor:
        return torch.sigmoid(imagination.latents[:, frames, 0].mean((-2, -1)))


UNCERTAINTY, VALUE = SmoothUncertainty(), SmoothValue()
NO_WORDS = InstructionGrounding(torch.zeros(1, 0), torch.zeros(1, 0, 12, 8))
BOTH = Heads(UNCERTAINTY, VALUE, lambda present, instruction: NO_WORDS)
VALUE_ONLY = Heads(None, VALUE, BOTH.ground)


def parts(heads: Heads | None = None, weights: dict | None = None, **changes) -> PlannerParts:
    """Parts with a tiny world model in full precision; `weights` change the usual ones."""
    weights = {**PlannerConfig().weights, **(weights or {})}
    config = PlannerConfig(**{'usual_uncertainty': 0.2, 'weights': weights, **changes})
    model, heads = tiny_world_model().double(), Heads() if heads is None else heads
    cameras = load_cameras(CAMERAS, model.config.views)
    exact = heads.see_imaginations
    locator = TargetLocator(RedScorer(), 0.55, cameras, config.target_height_m, exact)
    return PlannerParts(config, model, locator, heads, torch.device('cpu'))


def planner(heads: Heads | None = None, weights: dict | None = None, **changes) -> Planner:
    found = parts(heads, weights, **changes)
    return compose(Reach.build(found), found).planner


def test_by_value_alone_no_other_term_counts() -> None:
    found = planner(VALUE_ONLY, method='value_only').objective
    assert isinstance(found, TermObjective)
    assert set(found.terms) == {'value'}
    blind = parts(method='value_only')
    assert compose(Reach.build(blind), blind) is None


@pytest.fixture(scope='module')
def context() -> Context:
    images = torch.randint(
        0, 256, (1, 2, 96, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(3)
    )
    poses = straight_chunk(torch.zeros(1, 3), frames=2).to(torch.float64)
    return tiny_world_model().double().context(images, poses)


@pytest.fixture(scope='module')
def situation(context: Context) -> Situation:
    chunk = straight_chunk(torch.zeros(1, 3)).to(torch.float64)
    q = torch.tensor([0.0, -0.785, 0.0, -2.356, 0.0, 1.571, 0.785], dtype=torch.float64)
    start = Start(chunk.position[0, 0], chunk.rotation[0, 0], torch.zeros(3).double(), q, 0.0)
    return Situation(context, start, Instruction('reach', 'red'), TARGET, TARGET + ABOVE)


def score_of(planner: Planner, situation: Situation, motion: Tensor) -> Tensor:
    """Score of one motion (1, 3), as refinement climbs it."""
    score = planner.objective.at(situation)
    chunk = planner.motions.chunk(situation.start, motion)
    return score(chunk, planner.dynamics.predict(situation, chunk)).total[0]


@pytest.mark.parametrize(
    ('heads', 'changes'),
    [
        (BOTH, {}),
        (Heads(UNCERTAINTY), {'score_frames': (2, 4), 'frame_softness': 0.3}),
        (VALUE_ONLY, {'weights': {'value': 20.0}}),
        (replace(BOTH, bound=LowerBound(0.1, 0.1, 50)), {'uncertainty_discount': 3.0}),
        (BOTH, {'uncertainty_discount': 3.0, 'weights': {'value': 20.0}}),
    ],
    ids=['both', 'uncertainty', 'value', 'bound', 'rest_value'],
)
def test_gradients_agree_with_differences(
    heads: Heads, changes: dict, situation: Situation
) -> None:
    planned = planner(heads, **changes)
    motion = torch.tensor([[0.05, 0.03, -0.04]], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(score_of(planned, situation, motion), motion)
    step = 1e-5
    for axis in range(3):
        nudge = torch.zeros(1, 3, dtype=torch.float64)
        nudge[0, axis] = step
        with torch.no_grad():
            up, down = (
                float(score_of(planned, situation, motion + side * nudge)) for side in (1, -1)
            )
        slope = (up - down) / (2 * step)
        assert float(gradient[0, axis]) == pytest.approx(slope, rel=1e-3, abs=1e-3)


def test_without_heads_scores_are_the_weighted_terms(situation: Situation) -> None:
    plan = planner().plan(situation)
    assert set(plan.terms) == {'relevancy', 'distance_m'}
    weights = PlannerConfig().weights
    value = (
        weights['relevancy'] * plan.terms['relevancy']
        - weights['distance'] * plan.terms['distance_m']
    )
    assert float(plan.scores[plan.best]) == pytest.approx(value, abs=1e-6)


def test_heads_without_weights_change_no_score(situation: Situation) -> None:
    indifferent = planner(
        BOTH, {'value': 0.0}, uncertainty_discount=0.0, uncertainty_weight=0.0
    )
    plain = planner()
    chunk = plain.source.propose(situation)
    expected, score = (one.evaluate(situation, chunk) for one in (plain, indifferent))
    torch.testing.assert_close(score.total, expected.total)
    assert {'uncertainty', 'value'} <= set(score.terms)


@pytest.mark.parametrize('heads', [None, Heads(UNCERTAINTY), BOTH], ids=['none', 'one', 'both'])
def test_only_views_that_are_named_are_looked_at(
    heads: Heads | None, situation: Situation
) -> None:
    chunk = straight_chunk(torch.full((2, 3), 0.02)).to(torch.float64)
    names = tiny_world_model().config.views

    def terms(*views: str) -> dict[str, Tensor]:
        return planner(heads, score_views=views).evaluate(situation, chunk).terms

    alone = torch.stack([terms(name)['relevancy'] for name in names])
    torch.testing.assert_close(alone.mean(0), terms('all')['relevancy'])
    every = terms(*names)
    for name, values in terms('all').items():
        torch.testing.assert_close(every[name], values)


def test_latents_are_read_and_not_decoded(
    situation: Situation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A head that says what the tower says of the pictures plans as the tower does."""
    model, by_tower = tiny_world_model().double(), planner(BOTH)

    def read(latents: Tensor, chosen: tuple[int, ...], phrase: str) -> Tensor:
        views = original(latents[:, None])[:, 0]
        views = views[:, list(chosen)] if chosen else views
        maps = RedScorer().relevancy(views.flatten(0, 1), phrase)
        return maps.unflatten(0, views.shape[:2])

    original = model.decode
    wanted = by_tower.plan(situation)
    monkeypatch.setattr(type(model), 'decode', None)
    for views in (('all',), ('wrist',)):
        by_head = planner(replace(BOTH, relevancy=read), relevancy='latents', score_views=views)
        found = by_head.plan(situation)
        if views == ('all',):
            torch.testing.assert_close(found.chunk.position, wanted.chunk.position)
            assert found.terms == pytest.approx(wanted.terms)


def test_latents_need_a_head_that_reads_them() -> None:
    with pytest.raises(ConfigError, match="relevancy 'latents' needs models with relevancy/"):
        planner(BOTH, relevancy='latents')


def test_refinement_climbs_the_penalised_objective(situation: Situation) -> None:
    careful = planner(BOTH, refine_iterations=4)
    plan = careful.plan(situation)
    expected = {'relevancy', 'distance_m', 'uncertainty', 'value', 'rest_value'}
    assert set(plan.terms) == expected
    assert list(plan.refinement) == sorted(plan.refinement)
    motion = plan.chunk.position[:, -1] - situation.start.position
    with torch.no_grad():
        assert plan.score == pytest.approx(float(score_of(careful, situation, motion)), 1e-6)


def test_values_count_beside_that_of_coming_to_rest(situation: Situation) -> None:
    weighted = planner(BOTH, {'value': 5.0})
    plan = weighted.plan(situation)
    with torch.no_grad():
        rest = weighted.motions.rest(situation.start)
        imagination = weighted.dynamics.predict(situation, rest)
    rest_value = VALUE.predict_value(imagination, NO_WORDS)[0, -1]
    assert plan.terms['rest_value'] == pytest.approx(float(rest_value), abs=1e-9)
    assert list(plan.refinement) == sorted(plan.refinement)


def test_coming_to_rest_is_imagined_only_where_a_score_depends_on_it(
    situation: Situation,
) -> None:
    for sure in (planner(VALUE_ONLY, {'value': 5.0}), planner(BOTH, {'value': 0.0})):
        assert sure.objective.terms['value'].at(situation).rest_value is None


@dataclass(frozen=True)
class Known(Term):
    """Says what a test says of every frame, (candidates,) each."""

    said: Tensor
    known: Tensor

    def evidence(self, frames: ScoredFrames) -> Tensor:
        return self.said

    def prior(self, frames: ScoredFrames) -> Tensor:
        return self.known


def scored(
    terms: list[Term], uncertainty: Tensor, images: Tensor, motions: Tensor,
    situation: Situation, **changes,
) -> Score:  # fmt: skip
    """Scores of the last frames by listed terms, imagined as given, uncertainty as given."""
    head = SimpleNamespace(predict_error=lambda *_: SimpleNamespace(entropy=uncertainty))
    found = parts(Heads(head), **changes)
    objective = replace(
        TermObjective.build(found), terms={str(k): term for k, term in enumerate(terms)},
        decode=lambda latents: images,
    )  # fmt: skip
    latents = torch.zeros(len(images), 5, 4, 12, 8, dtype=torch.float64)
    chunk = straight_chunk(motions).to(torch.float64)
    return objective.at(situation)(chunk, SimpleNamespace(latents=latents))  # type: ignore[arg-type]


@pytest.mark.parametrize(('value', 'lost'), [(0.9, 0.0), (0.5, 2.0), (1.0, 0.0)])
def test_only_worse_evidence_is_lost_without_any_trust(
    situation: Situation, value: float, lost: float
) -> None:
    term = Known(5.0, torch.tensor([value]).double(), torch.tensor([0.9]).double())
    images = torch.full((1, 1, 3, 3, 32, 64), 0.5, dtype=torch.float64)
    certain_of_nothing = torch.ones(1, 1, 4, 12, 8).double()
    score = scored(
        [term], certain_of_nothing, images, torch.zeros(1, 3), situation,
        uncertainty_discount=1000.0, uncertainty_weight=0.0,
    )  # fmt: skip
    assert float(score.total) == pytest.approx(5.0 * 0.9 - lost, abs=1e-6)


@given(st.integers(0, 2**31), st.floats(0.0, 1.0), st.booleans(), st.integers(0, 4))
def test_more_uncertainty_never_raises_a_score_whatever_terms_are_listed(
    situation: Situation, seed: int, more: float, everywhere: bool, count: int
) -> None:
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, dtype=torch.float64)

    said = [Known(*(20 * random(3, 2) - 10).unbind()) for _ in range(count)]
    terms = [RelevancyTerm(float(random(1))), DistanceTerm(10 * float(random(1))), *said]
    images, motions = random(2, 1, 3, 3, 32, 64), 0.2 * random(2, 3) - 0.1
    uncertainty, higher = random(2, 1, 4, 12, 8), random(2, 1, 4, 12, 8)
    higher = torch.ones_like(higher) if everywhere else higher
    raised = uncertainty + more * higher * (1.0 - uncertainty)
    low, high = (
        scored(terms, level, images, motions.float(), situation).total
        for level in (uncertainty, raised)
    )
    assert (high <= low + 1e-9).all()


def test_a_bound_lowers_the_value(context: Context) -> None:
    model = tiny_world_model().double()
    chunk = straight_chunk(torch.zeros(1, 3)).to(torch.float64)
    imagination = model.imagine(context, chunk, SamplingConfig())
    plain = VALUE_ONLY.value(imagination, NO_WORDS, [2, 4])
    assert plain.shape == (1, 2)
    bounded = replace(VALUE_ONLY, bound=LowerBound(0.1, 0.2, 99))
    found = bounded.value(imagination, NO_WORDS, [2, 4])
    torch.testing.assert_close(found, (plain - 0.2).clamp_min(0))
