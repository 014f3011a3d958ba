# SPDX-License-Identifier: Apache-2.0
"""What handling adds to planning: turning motions, votes, margins, courses, progress."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vidplan_core.data.action import PoseChunk
from vidplan_core.geometry.fk import flange_pose, tcp_position
from vidplan_core.geometry.robot import RobotModel
from vidplan_core.geometry.robot_files import default_robot, load_robot
from vidplan_core.geometry.se3 import so3_exp, so3_log
from vidplan_core.geometry.workspace import PLANNING_BOX
from vidplan_core.heads.grounding import InstructionGrounding
from vidplan_core.planner.dynamics import GRIPPER_SPEED, commanded_course
from vidplan_core.planner.interfaces import Start
from vidplan_core.planner.motion.retreat import RISE_M, retreat
from vidplan_core.planner.motion.turning import LEVER_M, TurningMotions
from vidplan_core.planner.planner import above_margin, first_candidate
from vidplan_core.planner.proposals.policy import LEAST_SPREAD_M, OTHERWISE, candidates
from vidplan_core.planner.proposals.primitives import (
    MOST_TURN_RAD,
    REACH_M,
    first_of_each,
    primitives,
    turn_across,
)
from vidplan_core.planner.tasks.handling import seen_apart
from vidplan_core.planner.tasks.progress import TaskProgress

FRAMES, PERIOD_S = 5, 0.2
# The tool is in the middle of its box.
Q = torch.tensor([0.0, 0.0, 0.0, -2.3, 0.0, 2.3, 0.785])
MOTIONS = TurningMotions(FRAMES, PERIOD_S, PLANNING_BOX, default_robot())


def start(closedness: float = 0.0, commanded: float | None = None) -> Start:
    position, rotation = flange_pose(Q)
    return Start(position, rotation, torch.zeros(3), Q, closedness, commanded=commanded)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(-0.03, 0.03), min_size=3, max_size=3), st.floats(-0.3, 0.3))
def test_small_motions_end_where_they_should(move: list[float], turn: float) -> None:
    motion = torch.tensor([[*move, LEVER_M * turn]])
    chunk = MOTIONS.chunk(start(), motion, 1.0)
    torch.testing.assert_close(MOTIONS.motion_of(start(), chunk), motion, atol=1e-4, rtol=1e-3)
    turned = so3_log(chunk.rotation[0, -1] @ chunk.rotation[0, 0].mT)
    torch.testing.assert_close(turned, torch.tensor([0.0, 0.0, turn]), atol=1e-4, rtol=1e-3)
    assert (chunk.closedness == 1.0).all()


def test_long_motions_are_shortened_and_stay_in_the_box() -> None:
    motion = torch.tensor([[0.0, 0.0, -0.6, 0.0], [0.9, 0.0, 0.0, 0.3]])
    chunk = MOTIONS.chunk(start(), motion, torch.tensor([0.0, 1.0]))
    tool = tcp_position(chunk.position[:, -1], chunk.rotation[:, -1])
    assert PLANNING_BOX.violation(tool.numpy(), 'tool') is None
    assert chunk.closedness[:, 0].tolist() == [0.0, 1.0]
    turned = so3_log(chunk.rotation[:, -1] @ chunk.rotation[:, 0].mT)
    assert float(turned.norm(dim=1).max()) < 3.0


def test_refinement_reaches_turns_and_places() -> None:
    motion = torch.tensor([[0.02, 0.0, 0.0, 0.01]], requires_grad=True)
    chunk = MOTIONS.chunk(start(), motion, 0.0)
    (chunk.position[0, -1].sum() + chunk.rotation[0, -1].sum()).backward()
    assert motion.grad is not None
    assert (motion.grad.abs() > 0.0).all()


@pytest.mark.parametrize(
    ('commanded', 'measured', 'then'), [(0.0, 0.0, 0.0), (1.0, 1.0, 0.0), (1.0, 0.6, 1.0)]
)
def test_backing_off_rises_and_keeps_what_is_held(
    commanded: float, measured: float, then: float
) -> None:
    high = start(commanded, commanded)
    low = replace(high, position=high.position - torch.tensor([0.0, 0.0, 0.25]))
    chunk = retreat(MOTIONS, low, measured)
    assert 0.5 * RISE_M < float(chunk.position[0, -1, 2] - chunk.position[0, 0, 2]) < 1.01 * RISE_M
    stays = retreat(MOTIONS, high, measured).position[0, :, 2]
    torch.testing.assert_close(stays, stays[:1].expand_as(stays))
    assert (chunk.closedness == then).all()


@pytest.mark.parametrize(
    ('scores', 'chosen'), [([0.5, 0.52], 0), ([0.5, 0.62], 1), ([math.nan, 0.1], 1)]
)
def test_the_first_is_left_for_a_reason_only(scores: list[float], chosen: int) -> None:
    assert above_margin(0.1)(torch.tensor(scores), 0) == chosen
    assert first_candidate(torch.tensor(scores), 0) == 0


def drawn(grips: list[float], spread: float = 0.02) -> torch.Tensor:
    moves = spread * torch.randn(len(grips), 4, generator=torch.Generator().manual_seed(0))
    return torch.cat([moves, torch.tensor(grips)[:, None]], 1)


@pytest.mark.parametrize(
    ('grips', 'wanted'),
    [([0.9] * 7 + [0.1], {1.0}), ([0.1] * 8, {0.0}), ([0.1] * 4 + [0.9] * 4, {0.0, 1.0})],
    ids=['nearly all close', 'all open', 'split'],
)
def test_the_gripper_is_decided_by_vote(grips: list[float], wanted: set[float]) -> None:
    found = candidates(drawn(grips), 8)
    assert found.shape == (8, 5)
    assert set(found[:-OTHERWISE, 4].tolist()) == wanted
    assert (found[-OTHERWISE:, 4] == 1.0 - found[0, 4]).all()
    torch.testing.assert_close(found[-2, :4], found[0, :4])
    assert (found[-1, :4] == 0.0).all()


def test_samples_that_are_the_same_are_spread_around_the_first() -> None:
    found = candidates(drawn([0.0] * 8, spread=0.003), 8)
    apart = (found[1:-OTHERWISE, :3] - found[0, :3]).square().sum(1).mean().sqrt()
    assert float(apart) == pytest.approx(LEAST_SPREAD_M, rel=0.3)
    assert candidates(drawn([0.0] * 8), 1).shape == (1, 5)


def test_of_equal_motions_the_first_counts() -> None:
    rows = torch.tensor([[1.0, 2.0], [1.0, 3.0], [1.0, 2.0], [0.0, 2.0], [1.0, 3.0]])
    assert first_of_each(rows).tolist() == [True, True, False, True, False]


def test_primitives_go_where_things_are() -> None:
    tool = torch.tensor([0.5, 0.0, 0.2])
    places = torch.tensor([[0.55, 0.05, 0.03], [0.4, -0.2, 0.03]])
    motion, grip = primitives(tool, places, torch.tensor(1.2), 1.0)
    assert motion.shape == (12, 4)
    assert float(motion[:, :3].norm(dim=1).max()) <= REACH_M + 1e-6
    for over, turn in ((0, MOST_TURN_RAD), (2, 0.0)):
        torch.testing.assert_close((tool + motion[over, :3])[:2], places[0, :2])
        assert float(motion[over, 3]) == pytest.approx(LEVER_M * turn)
    assert grip[3] == 0.0
    assert grip[4] == 1.0
    assert (motion[4] == 0.0).all()


@pytest.fixture
def robot(request: Any) -> RobotModel:
    return load_robot(request.param)


@pytest.mark.parametrize('long_rad', [-1.4, -0.3, 0.0, 0.8, 1.5])
@pytest.mark.parametrize('hand_rad', [0.0, 0.7, -2.0])
@pytest.mark.parametrize('robot', ['fer_hand', 'fr3_hand', 'fr3_robotiq'], indirect=True)
def test_fingers_close_across_long_things(
    robot: RobotModel, long_rad: float, hand_rad: float
) -> None:
    down = so3_exp(torch.tensor([math.pi, 0.0, 0.0]))
    hand = so3_exp(torch.tensor([0.0, 0.0, hand_rad])) @ down
    axes = torch.tensor([0.8 * math.cos(2 * long_rad), 0.8 * math.sin(2 * long_rad), 0.8, 1.0])
    turn = turn_across(robot, axes, hand)
    assert abs(float(turn)) <= 0.5 * math.pi + 1e-6
    tips = so3_exp(torch.tensor([0.0, 0.0, float(turn)])) @ hand @ torch.tensor(robot.fingertips).T
    opening = (tips[:2, :].T @ torch.tensor([math.cos(long_rad), math.sin(long_rad)])).std()
    across = (tips[:2, :].T @ torch.tensor([-math.sin(long_rad), math.cos(long_rad)])).std()
    assert float(across) > 3.0 * float(opening)


@pytest.mark.parametrize(
    'axes', [[0.1, 0.0, 0.1, 1.0], [0.8, 0.0, 0.8, 0.1]], ids=['round', 'dim']
)
def test_no_turn_where_it_is_not_known_how_a_thing_lies(axes: list[float]) -> None:
    assert float(turn_across(default_robot(), torch.tensor(axes), torch.eye(3))) == 0.0


def situation(commanded: float, measured: float) -> Any:
    poses = PoseChunk(torch.zeros(1, 2, 3), torch.eye(3).expand(1, 2, 3, 3),
                      torch.tensor([[0.0, measured]]))  # fmt: skip
    return SimpleNamespace(start=start(measured, commanded), context=SimpleNamespace(poses=poses))


@pytest.mark.parametrize(('commanded', 'goal'), [(0.0, 1.0), (1.0, 0.0), (1.0, 1.0)])
def test_a_command_takes_its_course_from_what_was_commanded(commanded: float, goal: float) -> None:
    chunk = replace(MOTIONS.chunk(start(), torch.zeros(1, 4), goal))
    found = commanded_course(situation(commanded, 0.4), chunk, PERIOD_S).closedness[0]
    assert float(found[0]) == pytest.approx(0.4)
    assert float(found[-1]) == pytest.approx(goal)
    steps = np.diff(np.concatenate([[commanded], found[1:].numpy()]))
    assert np.abs(steps).max() <= GRIPPER_SPEED * PERIOD_S + 1e-6


def test_progress_is_a_rise_and_a_loss_starts_anew() -> None:
    progress = TaskProgress()
    for value in (0.3, 0.305, 0.31):
        progress.update(value)
    assert (progress.best, progress.idle) == (0.3, 2)
    progress.update(0.35)
    assert progress.idle == 0
    progress.update(0.1)
    assert (progress.best, progress.idle) == (0.1, 0)
    progress.retry()
    assert (progress.best, progress.retries) == (0.0, 1)


@pytest.mark.parametrize(
    ('x', 'certainty', 'apart'), [(0.2, 1.0, True), (0.05, 1.0, False), (0.2, 0.4, False)]
)
def test_what_is_seen_elsewhere_is_not_in_it(x: float, certainty: float, apart: bool) -> None:
    places = torch.tensor([[[0.5 + x, 0.0, 0.02, certainty], [0.5, 0.0, 0.03, 1.0]]])
    grounding = InstructionGrounding(torch.zeros(1, 3), torch.zeros(1, 2, 4, 4), places)
    assert seen_apart(grounding) is apart
    assert not seen_apart(replace(grounding, places=None))
