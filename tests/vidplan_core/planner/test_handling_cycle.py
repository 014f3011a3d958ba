# SPDX-License-Identifier: Apache-2.0
"""Cycles of picking and placing, with a policy of random weights and a value that is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.fakes.tiny import tiny_world_model
from tests.fakes.tiny_heads import NEW, ChangeUncertainty, Frames
from tests.fakes.tiny_scorer import TinyScorer
from tests.fakes.tiny_system import CAMERAS, RedScorer, tiny_system
from tests.vidplan_core.planner.looks import looks
from vidplan_core.control.commands import CommittedMotion
from vidplan_core.data.observation import Observation
from vidplan_core.errors import InstructionError, NoProgressError, TargetNotFoundError
from vidplan_core.geometry.camera import load_cameras
from vidplan_core.heads.bundle import Heads
from vidplan_core.heads.detectors.success.network import SuccessEstimator
from vidplan_core.heads.grounding import InstructionGrounding
from vidplan_core.heads.policy.network import ChunkPolicy, PolicyConfig
from vidplan_core.planner.config import PlannerConfig
from vidplan_core.planner.interfaces import Situation, Start
from vidplan_core.planner.motion.pressing import PRESSED_RAD
from vidplan_core.planner.system import PlanningSystem
from vidplan_core.world_model.world_model import Imagination

WORDS = 'put the red ball in the bowl'


class HeightValue:
    """Values the height of the hand, and finds tasks done with a given probability."""

    sees_the_end = True

    def __init__(self, done: float = 0.0, constant: bool = False) -> None:
        self.done, self.constant = done, constant

    def predict_value(
        self, imagination: Imagination, grounding: InstructionGrounding, frames: Frames = NEW
    ) -> Tensor:
        height = imagination.chunk.position[:, frames, 2]
        return torch.full_like(height, 0.5) if self.constant else height

    def predict_done(self, imagination: Imagination, grounding: InstructionGrounding) -> Tensor:
        return torch.full_like(imagination.chunk.position[:, 1:, 2], self.done)


def grounding() -> InstructionGrounding:
    places = torch.tensor([[[0.5, 0.1, 0.03, 1.0], [0.5, -0.2, 0.03, 1.0]]])
    axes = torch.zeros(1, 2, 4)
    return InstructionGrounding(torch.zeros(1, 6), torch.rand(1, 2, 12, 8), places, axes=axes)


def system(
    value: HeightValue | None = None, success: SuccessEstimator | None = None, **changes: object
) -> PlanningSystem:
    torch.manual_seed(0)
    model = tiny_world_model()
    config = PolicyConfig(4, 12, 8, 3, text=6, width=8, embedding=16, pools=2)
    ground = lambda *_: grounding()  # noqa: E731
    tower: Any = TinyScorer()
    heads = Heads(
        ChangeUncertainty(), value or HeightValue(), ground, ground, tower, success=success
    )
    settings = {'refine_iterations': 1, 'samples': 4, 'margin': 0.0, **changes}
    return PlanningSystem(
        model, RedScorer(0.55), load_cameras(CAMERAS, model.config.views),  # type: ignore[arg-type]
        PlannerConfig(**settings), torch.device('cpu'), heads,
        policy=ChunkPolicy(config).eval().requires_grad_(False),
    )  # fmt: skip


@pytest.mark.parametrize(
    ('method', 'candidates', 'imagines', 'refines'),
    [
        ('vidplan', 4, True, True),
        ('no_refine', 4, True, False),
        ('policy', 1, False, False),
        ('one_sample', 1, True, True),
        ('random_of_n', 4, False, False),
        ('no_imagination', 4, True, True),
        ('no_uncertainty', 4, True, True),
        ('discard', 4, True, True),
        ('value_only', 4, True, True),
        ('basis_only', 7, True, True),
    ],
)
def test_every_method_places(method: str, candidates: int, imagines: bool, refines: bool) -> None:
    planner = system(method=method)
    found = planner.plan(planner.new_task(WORDS), looks())
    assert len(found.scores) == candidates
    assert ('value' in found.terms) == imagines
    assert bool(found.refinement) == refines
    assert set(found.chunk.closedness.unique().tolist()) <= {0.0, 1.0}
    assert not found.done


def test_while_the_fingers_travel_the_primitives_stay() -> None:
    planner = system(method='basis_only')
    task = planner.new_task(WORDS)
    for grip, count in ((0.0, 7), (1.0, 1), (1.0, 7)):
        course = task.gripper.travelling(grip, 0.4 * task.cycle)
        situation = replace(planner.session.situation(planner.new_task(WORDS), looks()),
                            gripping=course)  # fmt: skip
        found = planner.session.compositions['place'].planner.source.propose(situation)
        assert len(found) == count
        if course:
            torch.testing.assert_close(found.position[:, -1], found.position[:, 0])
            assert found.closedness[:, -1].tolist() == [0.0]
        task.cycle += 1


@pytest.mark.parametrize('supported', [True, False])
def test_a_refined_motion_is_left_where_demonstrations_do_not_support_it(
    supported: bool,
) -> None:
    planner = system(uncertainty_weight=0.0, uncertainty_discount=0.0)
    inner = planner.session.compositions['place'].planner
    situation = planner.session.situation(planner.new_task(WORDS), looks())
    answer = torch.tensor([supported])
    found = replace(inner, supported=lambda *_: answer).plan(situation)
    proposed = found.candidates.position[found.best]
    assert found.refinement[-1] > found.refinement[0]
    assert torch.equal(found.chunk.position[0], proposed) is not supported


def test_the_best_value_is_taken() -> None:
    planner = system(method='no_refine', uncertainty_weight=0.0, uncertainty_discount=0.0)
    found = planner.plan(planner.new_task(WORDS), looks())
    heights = found.candidates.position[:, -1, 2]
    assert found.best == int(heights.argmax())


def test_a_task_is_done_when_two_looks_say_so() -> None:
    planner = system(HeightValue(done=0.9))
    task = planner.new_task('pick up the red ball')
    first = planner.plan(task, looks())
    second = planner.plan(task, looks(first_s=10.4))
    assert (first.done, second.done) == (False, True)
    assert len(first.scores) == 1


def test_nothing_is_done_while_the_fingers_open_or_apart_from_the_bowl() -> None:
    planner = system(HeightValue(done=0.9))
    task = planner.new_task(WORDS)
    closed = [replace(look, closedness=0.6) for look in looks()]
    opening = replace(planner.session.situation(task, closed), start=open_hand(planner, closed))
    kind = planner.session.compositions['place'].kind
    assert kind.finished(in_bowl(opening)) == 0.0
    beside = planner.session.situation(task, looks())
    assert kind.finished(in_bowl(beside)) == pytest.approx(0.9)
    assert kind.finished(beside) == 0.0


@pytest.mark.parametrize('seen', [0.2, 0.9])
def test_what_a_success_detector_sees_counts_before_the_value(seen: float) -> None:
    planner = system(HeightValue(done=0.9 - seen), success=lambda *_: seen)
    task = planner.new_task('pick up the red ball')
    found = [planner.plan(task, looks(first_s=10.0 + 0.4 * number)) for number in range(2)]
    assert [plan.terms['success'] for plan in found] == [seen, seen]
    assert found[-1].done is (seen > 0.5)


def test_what_is_lost_is_looked_for_by_backing_off() -> None:
    planner = system(max_missed_cycles=2, retries=1)
    task = planner.new_task(WORDS)
    planner.plan(task, looks())
    counts = [
        len(planner.plan(task, looks(10.4 + 0.4 * cycle, red=False)).scores) for cycle in range(5)
    ]
    assert counts == [4, 4, 1, 4, 4]  # the third backs off
    with pytest.raises(TargetNotFoundError, match='for 3 cycles'):
        planner.plan(task, looks(first_s=13.0, red=False))


def in_bowl(situation: Situation) -> Situation:
    """The target is seen where the bowl is."""
    grounding = situation.grounding
    assert grounding is not None
    assert grounding.places is not None
    there = replace(grounding, places=grounding.places[:, [1, 1]])
    return replace(situation, grounding=there)


def open_hand(planner: PlanningSystem, history: list[Observation]) -> Start:
    """Where plans start from a hand that was commanded to open."""
    start = planner.session.situation(planner.new_task(WORDS), history).start
    return replace(start, commanded=0.0)


def test_without_progress_others_are_tried_then_it_backs_off_then_it_ends() -> None:
    planner = system(HeightValue(constant=True), max_idle_cycles=2, retries=1)
    task = planner.new_task(WORDS)
    counts = [
        len(planner.plan(task, looks(first_s=10.0 + 0.4 * cycle)).scores) for cycle in range(11)
    ]
    with pytest.raises(NoProgressError, match='after 1 retries'):
        planner.plan(task, looks(first_s=15.0))
    # The policy's samples, primitives beside them, one that backs off, and all of it again.
    assert counts[:6] == [4, 4, 4, 11, 11, 1]
    assert task.progress.retries == 1


def sent_to(q: np.ndarray) -> CommittedMotion:
    """An arm that was sent to angles, and rests there as far as it knows."""
    look, times = looks()[-1], np.array([0.0, 100.0])
    position, quaternion = (np.stack([each, each]) for each in (look.position, look.quaternion))
    still, angles = np.zeros((2, 7)), np.stack([q, q])
    return CommittedMotion(
        times, position, quaternion, np.zeros(2), np.zeros((2, 3)), angles, still, 1.0
    )


@pytest.mark.fault('joints_behind')
def test_a_hand_that_presses_on_something_backs_off_and_that_is_one_retry() -> None:
    planner = system(retries=1)
    task, free = planner.new_task(WORDS), looks()[-1].q
    behind = free + np.array([0.0, 0.0, 0.0, 0.0, 0.0, 2.0 * PRESSED_RAD, 0.0])
    counts = [
        len(planner.plan(task, looks(10.0 + 0.4 * cycle), sent_to(q)).scores)
        for cycle, q in enumerate([free, behind, behind, free])
    ]
    assert counts == [4, 1, 1, 4]
    assert task.progress.retries == 1
    assert task.thing.blocked == []  # it was not on its way to a grasp
    with pytest.raises(NoProgressError, match='move what is in the way'):
        planner.plan(task, looks(12.0), sent_to(behind))


@pytest.mark.parametrize('words', ['pick up the red ball', WORDS])
def test_models_without_a_policy_refuse(words: str) -> None:
    with pytest.raises(InstructionError, match='cannot do'):
        tiny_system().new_task(words)


def test_another_world_model_keeps_the_policy() -> None:
    planner = system()
    assert planner.with_world_model(tiny_world_model(1)).parts.policy is planner.parts.policy


