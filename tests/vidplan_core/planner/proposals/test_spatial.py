# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch

from vidplan_core.errors import ConfigError
from vidplan_core.geometry.fk import damped_velocity, flange_pose, tcp_position
from vidplan_core.geometry.ik import IkSolver
from vidplan_core.geometry.robot_files import load_robot
from vidplan_core.geometry.se3 import so3_log
from vidplan_core.geometry.workspace import PLANNING_BOX, WorkspaceBox
from vidplan_core.planner.interfaces import Start
from vidplan_core.planner.motion.hermite import hermite_chunk
from vidplan_core.planner.proposals.spatial import TRANSLATIONS, SpatialBasis

START = torch.tensor([0.0, -0.2, 0.0, -2.4, 0.0, 2.2, 0.785], dtype=torch.float64)
REST = torch.zeros(3, dtype=torch.float64)
FRAMES, PERIOD_S = 5, 0.2
DIRECTIONS = torch.tensor(TRANSLATIONS, dtype=torch.float64)[:, :3]


def propose(  # noqa: ANN201
    basis: SpatialBasis,
    q: torch.Tensor = START,
    velocity: torch.Tensor = REST,
    turn_rate: torch.Tensor | None = None,
):
    position, rotation = flange_pose(q)
    start = Start(position, rotation, velocity, q, 0.0, turn_rate=turn_rate)
    return basis.propose(start, 0.25, FRAMES, PERIOD_S)


def test_candidates_go_where_their_names_say() -> None:
    chunk = propose(SpatialBasis(step_m=0.1))
    position, rotation = flange_pose(START)
    assert chunk.position.shape == (6, FRAMES, 3)
    torch.testing.assert_close(chunk.position[:, 0], position.expand(6, 3))
    moved = chunk.position[:, -1] - position
    torch.testing.assert_close(moved, 0.1 * DIRECTIONS, atol=1e-3, rtol=0)
    turned = so3_log(rotation.mT @ chunk.rotation).norm(dim=-1)
    assert turned.max() < 5e-3
    assert (chunk.closedness == 0.25).all()


@pytest.mark.parametrize('velocity', [REST, torch.tensor([0.04, 0.02, -0.04]).double()])
def test_follows_the_hermite_law(velocity: torch.Tensor) -> None:
    """The flange keeps to the cubic that the refinement uses."""
    chunk = propose(SpatialBasis(step_m=0.08), velocity=velocity)
    position, rotation = flange_pose(START)
    law = hermite_chunk(
        position, rotation, velocity, 0.08 * DIRECTIONS, 0 * DIRECTIONS, 0.25, FRAMES, PERIOD_S
    )
    torch.testing.assert_close(chunk.position, law.position, atol=2e-3, rtol=0)


def test_a_hand_that_turns_comes_to_rest_without_turning_back() -> None:
    """The angle is the cubic from the present rate to rest: it never falls, and ends at w T/3."""
    rate = torch.tensor([0.0, 0.0, 0.6]).double()
    chunk = propose(SpatialBasis(step_m=0.05), turn_rate=rate)
    _, rotation = flange_pose(START)
    angle = so3_log(chunk.rotation @ rotation.mT)[..., 2]
    assert (angle.diff(dim=1) > 0).all()
    torch.testing.assert_close(
        angle[:, -1], torch.full((6,), 0.6 * (FRAMES - 1) * PERIOD_S / 3).double()
    )


def test_every_candidate_can_be_followed() -> None:
    chunk = propose(SpatialBasis())
    solver = IkSolver()
    for position, rotation in zip(chunk.position, chunk.rotation, strict=True):
        solver.track(START.numpy(), position[1:].numpy(), rotation[1:].numpy(), PERIOD_S)


@pytest.mark.parametrize('name', ['fr3_hand', 'fr3_robotiq', 'fer_hand'])
def test_tool_stays_in_the_box(name: str) -> None:
    robot = load_robot(name)
    box = WorkspaceBox((0.3, -0.05, 0.1), (0.6, 0.05, 0.5))
    q = START
    chunk = propose(
        SpatialBasis(step_m=0.5, box=box, robot=robot), q, torch.tensor([0.0, 0.3, 0.0]).double()
    )
    tools = tcp_position(chunk.position, chunk.rotation, robot)
    about = WorkspaceBox((0.298, -0.052, 0.098), (0.602, 0.052, 0.502))
    assert about.violation(tools.numpy(), 'tool') is None


def test_arm_outside_the_box_is_not_pulled() -> None:
    """It may stay, or come nearer, but no candidate jumps to the box."""
    position, rotation = flange_pose(START)
    tool = tcp_position(position, rotation).numpy()
    box = WorkspaceBox(PLANNING_BOX.lower, (0.72, 0.35, float(tool[2]) - 0.1))
    chunk = propose(SpatialBasis(step_m=0.1, box=box))
    heights = tcp_position(chunk.position, chunk.rotation)[..., 2]
    assert heights.max() <= tool[2] + 2e-3
    assert (chunk.position[:, 1:] - chunk.position[:, :-1]).norm(dim=-1).max() < 0.06


def test_joint_limits_shorten_a_candidate() -> None:
    """A step that no joint is fast enough for ends earlier, in the same direction."""
    chunk = propose(SpatialBasis(step_m=1.0, box=WorkspaceBox((-2, -2, -2), (2, 2, 2))))
    moved = chunk.position[2, -1] - chunk.position[2, 0]
    assert 0.1 < moved[1] < 0.9
    assert abs(moved[0]) < 0.25


def test_rotations_about_any_axis() -> None:
    basis = SpatialBasis(twists=[(0, 0, 0, 0, 0, 1), (0, 0, 0, 1, 0, 0)], step_rad=0.3)
    chunk = propose(basis)
    _, rotation = flange_pose(START)
    turned = so3_log(chunk.rotation[:, -1] @ rotation.mT)
    expected = torch.tensor([[0, 0, 0.3], [0.3, 0, 0]], dtype=torch.float64)
    torch.testing.assert_close(turned, expected, atol=5e-3, rtol=0)


def test_damping_bounds_the_speed_in_a_singularity() -> None:
    stretched = torch.zeros(7, dtype=torch.float64)
    chunk = propose(SpatialBasis(box=WorkspaceBox((-2, -2, -2), (2, 2, 2))), stretched)
    assert chunk.position.isfinite().all()
    singular = torch.zeros(6, 7, dtype=torch.float64)
    assert (damped_velocity(singular, torch.ones(6, dtype=torch.float64), 0.1) == 0).all()


@pytest.mark.parametrize('change', [{'step_m': 0.0}, {'twists': [(1, 0, 0)]}])
def test_senseless_basis_is_refused(change: dict) -> None:
    with pytest.raises(ConfigError, match='a spatial basis needs'):
        SpatialBasis(**change)


def test_single_precision_agrees() -> None:
    q = START.float()
    position, rotation = flange_pose(q)
    start = Start(position, rotation, REST.float(), q, 0.0)
    chunk = SpatialBasis().propose(start, 0.25, FRAMES, PERIOD_S)
    double = propose(SpatialBasis())
    np.testing.assert_allclose(chunk.position, double.position, atol=1e-4)
