# SPDX-License-Identifier: Apache-2.0
"""Every way to plan as a composition of a source, dynamics, an objective, a choice, a refinement.

The methods of the evaluations differ here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import Tensor

from vidplan_core.planner.dynamics import NoDynamics
from vidplan_core.planner.motion.space import MotionSpace
from vidplan_core.planner.parts import PlannerParts
from vidplan_core.planner.planner import Planner, Refinement, best_candidate, random_candidate
from vidplan_core.planner.proposals.sources import build_source
from vidplan_core.planner.tasks.task_kind import TaskKind
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
    planner = Planner(
        source=build_source(parts),
        dynamics=parts.dynamics,
        objective=kind.objective(parts),
        choose=best_candidate,
        refinement=Refinement(config.refine_iterations, config.refine_step_m, config.reach_m),
        motions=MotionSpace.build(parts),
    )
    return Composition(kind, planner, kind.done)


def no_refine(kind: TaskKind, parts: PlannerParts) -> Composition:
    """The best candidate as it was proposed."""
    composed = vidplan(kind, parts)
    return replace(composed, planner=replace(composed.planner, refinement=None))


def kinematic(kind: TaskKind, parts: PlannerParts) -> Composition:
    """Score by localisation and forward kinematics of the last frame, without imagining."""
    last = parts.world_model.config.frames - 1
    config = replace(parts.config, score_frames=(last,), frame_softness=0.0)
    composed = vidplan(kind, replace(parts.blind(), config=config))
    return replace(composed, planner=replace(composed.planner, dynamics=NoDynamics()))


def random(kind: TaskKind, parts: PlannerParts) -> Composition:
    """Any candidate of full length, for ever."""
    config = replace(parts.config, smallest_step_m=parts.config.step_m)
    composed = kinematic(kind, replace(parts, config=config))
    planner = replace(composed.planner, choose=random_candidate, refinement=None)
    return Composition(kind, planner, lambda position, rotation, target: False)


METHODS: Registry[Callable[[TaskKind, PlannerParts], Composition]] = Registry(
    'method',
    {'vidplan': vidplan, 'no_refine': no_refine, 'random': random, 'kinematic': kinematic},
)


def compose(kind: TaskKind, parts: PlannerParts) -> Composition:
    """The composition of the configured method; raises ConfigError for an unknown part."""
    return METHODS.find(parts.config.method)(kind, parts)
