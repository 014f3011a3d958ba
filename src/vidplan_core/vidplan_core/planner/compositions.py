# SPDX-License-Identifier: Apache-2.0
"""Every way to plan as a composition of a source, dynamics, an objective, a choice, a refinement.

The methods of the evaluations differ here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import Tensor

from vidplan_core.errors import ConfigError
from vidplan_core.planner.config import WORDS, PlannerConfig
from vidplan_core.planner.dynamics import NoDynamics, PresentDynamics
from vidplan_core.planner.interfaces import Objective, ProposalSource
from vidplan_core.planner.objective.combination import discard_doubted
from vidplan_core.planner.objective.indifferent import IndifferentObjective
from vidplan_core.planner.objective.objective import TermObjective
from vidplan_core.planner.parts import PlannerParts
from vidplan_core.planner.planner import (
    Choice,
    Planner,
    Refinement,
    above_margin,
    best_candidate,
    first_candidate,
    random_candidate,
)
from vidplan_core.planner.proposals.primitives import Primitives
from vidplan_core.planner.proposals.shortlist import Shortlist
from vidplan_core.planner.proposals.sources import policy_source
from vidplan_core.planner.proposals.supported import SupportedProposals
from vidplan_core.planner.tasks.staged import StageDynamics
from vidplan_core.planner.tasks.task_kind import TaskKind, staged
from vidplan_core.registry import Registry

# Of a resting flange's position (3,) and rotation (3, 3) and the target (3,): is the task done?
DoneTest = Callable[[Tensor, Tensor, Tensor], bool]


@dataclass(frozen=True)
class Composition:
    """How one kind of task is planned.

    Attributes:
        kind: of task.
        planner: makes its plans.
        done: when there is nothing left to plan.
    """

    kind: TaskKind
    planner: Planner
    done: DoneTest


def vidplan(kind: TaskKind, parts: PlannerParts) -> Composition:
    """The method of the paper: imagine, score with every head that is there, refine."""
    config = parts.config
    if staged(kind):
        return _judged_as_proposed(kind, parts)
    source = _source(kind, parts)
    planner = Planner(
        source=source,
        dynamics=parts.dynamics,
        objective=kind.objective(parts),
        choose=_choice(kind, parts),
        refinement=_refinement(kind, config),
        motions=kind.motions(parts),
        ascended=_ascended(kind, parts),
        refining=parts.refining,
        shortlist=_shortlist(kind, parts),
        supported=source.supports if isinstance(source, SupportedProposals) else None,
    )
    return Composition(kind, planner, kind.done)


def _source(kind: TaskKind, parts: PlannerParts) -> ProposalSource:
    """The kind's; where the value alone chooses, only what demonstrations support."""
    source = kind.source(parts)
    return source if _trusted(kind, parts) else _supported(kind, source, parts)


def _supported(kind: TaskKind, source: ProposalSource, parts: PlannerParts) -> ProposalSource:
    return SupportedProposals(source, parts.robot) if kind.handles else source


def _trusted(kind: TaskKind, parts: PlannerParts) -> bool:
    """Whether a policy proposes that sees what it is about."""
    return kind.handles and parts.config.base != WORDS


def _judged_as_proposed(kind: TaskKind, parts: PlannerParts) -> Composition:
    """The best motion of a task that goes by stages, and nothing to refine."""
    planner = Planner(
        source=kind.source(parts),
        dynamics=StageDynamics(parts.dynamics) if kind.imagined else NoDynamics(),
        objective=kind.objective(parts),
        choose=best_candidate,
        refinement=None,
        motions=kind.motions(parts),
    )
    return Composition(kind, planner, kind.done)


# Terms of which poses alone say nothing.
_SEEN = frozenset({'relevancy', 'centring', 'value'})


def _shortlist(kind: TaskKind, parts: PlannerParts) -> Shortlist | None:
    """The candidates that poses alone find promising; None where all are imagined."""
    config = parts.config
    if not config.shortlist or kind.handles:
        return None
    if not any(weight for name, weight in config.weights.items() if name not in _SEEN):
        raise ConfigError(
            f'shortlist is {config.shortlist}, but no weighted term is known before imagining: '
            f'weigh distance, or set shortlist to 0'
        )
    return Shortlist(kind.objective(parts.blind()), config.shortlist)


def _ascended(kind: TaskKind, parts: PlannerParts) -> Objective | None:
    """What refinement ascends where that is not what candidates are chosen by."""
    weights = {name: weight for name, weight in parts.config.refine_weights.items() if weight}
    if not weights:
        return None
    config = replace(parts.config, weights=weights, handling_weights=weights)
    return kind.objective(replace(parts, config=config))


def _choice(kind: TaskKind, parts: PlannerParts) -> Choice:
    """The best; where a policy proposes that sees, the first unless it is worse by a margin."""
    return above_margin(parts.config.margin) if _trusted(kind, parts) else best_candidate


def _refinement(kind: TaskKind, config: PlannerConfig) -> Refinement:
    """Anywhere within reach; of what a policy proposes, near by."""
    if not kind.handles:
        return Refinement(config.refine_iterations, config.refine_step_m, config.reach_m)
    near = config.support_m
    return Refinement(config.refine_iterations, 0.5 * near, near, around=True)


def no_refine(kind: TaskKind, parts: PlannerParts) -> Composition:
    """The best candidate as it was proposed."""
    composed = vidplan(kind, parts)
    return replace(composed, planner=replace(composed.planner, refinement=None))


def kinematic(kind: TaskKind, parts: PlannerParts) -> Composition | None:
    """Score by localisation and forward kinematics of the last frame, without imagining."""
    if kind.handles:
        return None
    last = parts.world_model.config.frames - 1
    config = replace(parts.config, score_frames=(last,), frame_softness=0.0, refine_weights={})
    composed = vidplan(kind, replace(parts.blind(), config=config))
    planner = replace(composed.planner, dynamics=NoDynamics(), refining=None, shortlist=None)
    return replace(composed, planner=planner)


def random(kind: TaskKind, parts: PlannerParts) -> Composition | None:
    """Any candidate of full length, for ever."""
    config = replace(parts.config, smallest_step_m=parts.config.step_m)
    composed = kinematic(kind, replace(parts, config=config))
    if composed is None:
        return None
    planner = replace(composed.planner, choose=random_candidate, refinement=None)
    return Composition(kind, planner, lambda position, rotation, target: False)


def policy(kind: TaskKind, parts: PlannerParts) -> Composition | None:
    """What the policy proposes first, without imagining."""
    return _unimagined(kind, _first_only(parts), first_candidate)


def random_of_n(kind: TaskKind, parts: PlannerParts) -> Composition | None:
    """Any of the policy's samples, without imagining."""
    composed = _unimagined(kind, parts, random_candidate)
    if composed is None:
        return None
    planner = replace(composed.planner, source=policy_source(parts))
    return replace(composed, planner=planner)


def _unimagined(kind: TaskKind, parts: PlannerParts, choose: Choice) -> Composition | None:
    """Candidates of a policy as they are; None for a kind of task without one."""
    if not kind.handles:
        return None
    composed = vidplan(kind, parts)
    planner = replace(
        composed.planner, source=kind.source(parts), dynamics=NoDynamics(),
        objective=IndifferentObjective(), choose=choose, refinement=None,
    )  # fmt: skip
    return replace(composed, planner=planner)


def one_sample(kind: TaskKind, parts: PlannerParts) -> Composition | None:
    """What the policy proposes first, refined."""
    return vidplan(kind, _first_only(parts)) if kind.handles else None


def _first_only(parts: PlannerParts) -> PlannerParts:
    return replace(parts, config=replace(parts.config, samples=1))


def no_imagination(kind: TaskKind, parts: PlannerParts) -> Composition:
    """As `vidplan`, but every candidate is shown the present picture; stages judge by geometry."""
    composed = vidplan(kind, parts)
    dynamics = NoDynamics() if staged(kind) else PresentDynamics(parts.dynamics)
    planner = replace(composed.planner, dynamics=dynamics, refining=None)
    return replace(composed, planner=planner)


def no_uncertainty(kind: TaskKind, parts: PlannerParts) -> Composition:
    """As `vidplan`, with imaginations taken as they are."""
    return vidplan(kind, replace(parts, heads=replace(parts.heads, uncertainty_head=None)))


def discard(kind: TaskKind, parts: PlannerParts) -> Composition:
    """As `vidplan`, but doubted candidates are left out instead of counting less."""
    composed, objective = vidplan(kind, parts), kind.objective(parts)
    assert isinstance(objective, TermObjective)  # of all kinds that are imagined
    objective = replace(objective, combination=discard_doubted)
    return replace(composed, planner=replace(composed.planner, objective=objective))


def value_only(kind: TaskKind, parts: PlannerParts) -> Composition | None:
    """As `vidplan`, by the value alone of all terms; None for models without a value head."""
    if parts.heads.value_head is None:
        return None
    config = parts.config
    weights, handling = (
        {'value': known.get('value', 1.0)} for known in (config.weights, config.handling_weights)
    )
    return vidplan(
        kind, replace(parts, config=replace(config, weights=weights, handling_weights=handling))
    )


def basis_only(kind: TaskKind, parts: PlannerParts) -> Composition:
    """As `vidplan`, from the basis of motions alone."""
    composed = vidplan(kind, parts)
    if not kind.handles:
        return composed
    source = _supported(kind, Primitives.build(parts), parts)
    planner = replace(composed.planner, source=source, choose=best_candidate)
    return replace(composed, planner=planner)


METHODS: Registry[Callable[[TaskKind, PlannerParts], Composition | None]] = Registry(
    'method',
    {
        'vidplan': vidplan,
        'no_refine': no_refine,
        'random': random,
        'kinematic': kinematic,
        'policy': policy,
        'one_sample': one_sample,
        'random_of_n': random_of_n,
        'no_imagination': no_imagination,
        'no_uncertainty': no_uncertainty,
        'discard': discard,
        'value_only': value_only,
        'basis_only': basis_only,
    },
)


# What is left of the methods for tasks that go by stages.
STAGED = ('vidplan', 'no_refine', 'no_imagination')


def compose(kind: TaskKind, parts: PlannerParts) -> Composition | None:
    """The composition of the configured method; None where it cannot do this kind of task.

    Raises ConfigError for an unknown part.
    """
    if staged(kind) and parts.config.method not in STAGED:
        return None
    return METHODS.find(parts.config.method)(kind, parts)
