# SPDX-License-Identifier: Apache-2.0
"""Sources and terms that a configuration names, anybody's too, and what names nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

from tests.fakes.tiny_system import tiny_system
from tests.vidplan_core.planner.looks import looks
from vidplan_core.errors import ConfigError, InstructionError
from vidplan_core.geometry.fk import tcp_position
from vidplan_core.knobs import with_values
from vidplan_core.planner.compositions import METHODS
from vidplan_core.planner.config import PlannerConfig
from vidplan_core.planner.plans.result import PlanResult

EXAMPLES = Path(__file__).resolve().parents[3] / 'examples'
SOURCE, TERM = '04_write_a_proposal_source:Circle', '05_write_a_term:StayHigh'


def planned(text: str) -> PlanResult:
    """A plan as a parameter file configures it."""
    block = yaml.safe_load(text)['/**/planner']['ros__parameters']
    config = with_values(PlannerConfig(refine_iterations=1), block)
    system = tiny_system(threshold=0.5, config=config)
    return system.plan(system.new_task('move to the red ball'), looks())


@pytest.fixture
def in_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))


@pytest.mark.usefixtures('in_examples')
def test_a_proposal_source_is_used_by_naming_it() -> None:
    block = f'/**/planner: {{ros__parameters: {{proposals: ["{SOURCE}"]}}}}'
    assert len(planned(block).scores) == 12
    both = block.replace('proposals: [', 'proposals: [spatial_basis, ')
    assert len(planned(both).scores) == 6 + 12


@pytest.mark.usefixtures('in_examples')
def test_a_term_is_used_by_naming_it() -> None:
    block = f'/**/planner: {{ros__parameters: {{weights: {{"{TERM}": 5000.0}}}}}}'
    without = planned('/**/planner: {ros__parameters: {weights: {value: 0.1}}}')
    with pytest.raises(ConfigError, match='weights.05_write_a_term:StayHigh is 5000.0; allowed'):
        planned(block)
    high = planned(block.replace('5000.0', '900.0'))
    assert set(high.terms) == {*without.terms, TERM}  # the usual terms stay
    assert high.best == 4  # of +x, -x, +y, -y, +z, -z
    assert high.terms[TERM] == pytest.approx(float(high.candidates.position[4, -1, 2]) - 0.1, 0.1)


@pytest.mark.parametrize('script', sorted(EXAMPLES.glob('0[45]*.py')), ids=lambda path: path.stem)
def test_what_one_writes_is_short(script: Path) -> None:
    assert len(script.read_text().splitlines()) <= 30


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        ({'proposals': ('spatial_bases',)}, "did you mean 'spatial_basis'"),
        ({'proposals': ('no_such_package:Source',)}, 'cannot be imported'),
        ({'weights': {'relevance': 1.0}}, "'relevance'; did you mean 'relevancy'"),
        ({'weights': {'math:tau': 1.0}}, 'must be a subclass of Term'),
        ({'weights': {'value': 1.0}}, 'no term is left that these models can say'),
    ],
    ids=['source', 'package', 'term', 'no_term', 'no_head'],
)
def test_what_names_nothing_is_refused_at_the_start(values: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        tiny_system(**values)


def test_every_method_is_composed() -> None:
    from vidplan_core.planner.config import METHODS as NAMES

    assert set(METHODS) == set(NAMES)


REACHING = ('vidplan', 'no_refine', 'random', 'kinematic')


@pytest.mark.parametrize('method', ['policy', 'one_sample', 'random_of_n'])
def test_a_method_without_a_policy_reaches_nothing(method: str) -> None:
    with pytest.raises(InstructionError, match='cannot do'):
        tiny_system(threshold=0.5, method=method).new_task('move to the red ball')


@pytest.mark.parametrize('method', REACHING)
def test_a_method_differs_in_what_it_composes(method: str) -> None:
    system = tiny_system(threshold=0.5, method=method)
    result = system.plan(system.new_task('move to the red ball'), looks())
    imagines, refines = method in ('vidplan', 'no_refine'), method in ('vidplan', 'kinematic')
    assert ('relevancy' in result.terms) == imagines
    assert (len(result.predicted) > 0) == imagines
    assert len(result.futures) == (len(result.scores) if imagines else 0)
    assert bool(result.refinement) == refines
    if method != 'random':
        assert result.scores[result.best] == max(result.scores)


def test_any_candidate_is_taken_at_random_and_never_called_done() -> None:
    system = tiny_system(threshold=0.5, method='random')
    task = system.new_task('move to the red ball')
    results = [system.plan(task, looks()) for _ in range(8)]
    assert len({result.best for result in results}) > 1
    composed = system.session.compositions['reach']
    resting = torch.zeros(3), torch.eye(3)
    below = tcp_position(*resting) - torch.tensor([0.0, 0.0, system.config.standoff_m])
    assert composed.kind.done(*resting, below)
    assert not composed.done(*resting, below)
