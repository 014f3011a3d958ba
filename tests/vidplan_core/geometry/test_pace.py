# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from vidplan_core.errors import IkError
from vidplan_core.geometry.fk import flange_pose
from vidplan_core.geometry.ik import IkSolver
from vidplan_core.geometry.pace import ArmPace
from vidplan_core.geometry.robot_files import default_robot
from vidplan_core.geometry.se3 import so3_exp
from vidplan_core.geometry.trajectory import joint_trajectory

ROBOT = default_robot()
PACE = ArmPace(ROBOT)
START = torch.tensor([0.1, -0.2, 0.2, -2.3, 0.0, 2.2, 0.785], dtype=torch.float64)
REST = torch.zeros(7, dtype=torch.float64)
PERIOD_S = 0.2
PART = torch.linspace(0, 1, 5, dtype=torch.float64)
SHAPE = (PART * PART * (3 - 2 * PART))[:, None]


def shares(motions: torch.Tensor, turns: torch.Tensor) -> torch.Tensor:
    position, _ = flange_pose(START)
    still = position.expand(5, 3), position.new_zeros(5, 3)
    return PACE.share(
        START, REST, still, SHAPE * motions[:, None], SHAPE * turns[:, None], PERIOD_S
    )


def duration_s(motion: torch.Tensor, turn: torch.Tensor) -> float:
    position, rotation = flange_pose(START)
    places, turned = position + SHAPE * motion, so3_exp(SHAPE * turn) @ rotation
    try:
        angles = IkSolver().track(START.numpy(), places[1:].numpy(), turned[1:].numpy(), PERIOD_S)
    except IkError:
        return math.inf
    waypoints = np.concatenate((START.numpy()[None], angles))
    return joint_trajectory(waypoints, REST.numpy(), PERIOD_S, ROBOT.limits).duration_s


def random_motions(count: int, length_m: float, turn_rad: float) -> tuple:
    generator = torch.Generator().manual_seed(0)
    ways = torch.randn(2, count, 3, generator=generator, dtype=torch.float64)
    ways = ways / ways.norm(dim=-1, keepdim=True)
    return length_m * ways[0], turn_rad * ways[1]


def test_what_is_shared_out_is_done_in_its_time() -> None:
    motions, turns = random_motions(24, 0.25, 0.4)
    found = shares(motions, turns)
    assert (found > 0.2).all()
    assert (found < 0.95).any()
    for share, motion, turn in zip(found, motions, turns, strict=True):
        assert duration_s(share * motion, share * turn) == pytest.approx(0.8)


def test_a_larger_share_would_take_longer() -> None:
    motions, turns = random_motions(24, 0.25, 0.4)
    found = shares(motions, turns)
    cut = torch.nonzero(found < 0.8).flatten().tolist()
    late = [duration_s(*(1.2 * found[i] * way[i] for way in (motions, turns))) for i in cut]
    assert len(cut) > 3
    assert min(late) > 0.8


def test_small_motions_are_whole() -> None:
    assert (shares(*random_motions(12, 0.03, 0.05)) == 1.0).all()


def test_differentiable_in_the_motion() -> None:
    motions, turns = (way[:4].requires_grad_() for way in random_motions(4, 0.3, 0.3))
    assert (shares(motions, turns) < 1.0).all()
    assert torch.autograd.gradcheck(shares, (motions, turns), eps=1e-7, atol=1e-3)


def test_no_gradient_is_lost_where_nothing_moves() -> None:
    none = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(shares(none, none).sum(), none)
    assert gradient.isfinite().all()
