# SPDX-License-Identifier: Apache-2.0
"""Links as capsules, against the exact meshes in another program's kinematics."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import mujoco
import numpy as np
import pytest
import torch

from tests.vidplan_core.control.arm import plan_from, ready
from vidplan_core.control import links, rejection
from vidplan_core.control.commands import PlanCommand
from vidplan_core.control.config import AdapterConfig, SafetyConfig
from vidplan_core.control.links import LinkCapsules, Margins, collision, fingertip_heights
from vidplan_core.errors import CommandRejectedError
from vidplan_core.geometry.fk import arm_frames
from vidplan_core.geometry.robot_files import default_robot
from vidplan_core.geometry.se3 import matrix_to_quaternion, quaternion_to_matrix, so3_exp
from vidplan_core.geometry.workspace import WorkspaceBox
from vidplan_sim.arm.franka import load_robot

ROBOT = default_robot()
MARGINS = Margins(0.005, 0.02, 0.005, 0.0)
BODIES = {f'fr3_link{index}': index for index in range(8)} | {'hand': 8}
FINGERS = ('left_finger', 'right_finger')


@lru_cache(maxsize=1)
def model() -> tuple[mujoco.MjModel, mujoco.MjData]:
    spec = load_robot()
    compiled = spec.compile()
    return compiled, mujoco.MjData(compiled)


def vertices(q: np.ndarray, opening_m: float = 0.04) -> dict[str, np.ndarray]:
    """Collision meshes of all bodies at angles (7,), in the base frame, by MuJoCo."""
    compiled, data = model()
    data.qpos[:7], data.qpos[7:9] = q, opening_m
    mujoco.mj_kinematics(compiled, data)
    found: dict[str, list[np.ndarray]] = {}
    for geom in range(compiled.ngeom):
        name = compiled.body(compiled.geom_bodyid[geom]).name
        mesh = compiled.geom_dataid[geom]
        if mesh < 0 or not compiled.geom_contype[geom]:
            continue
        first = compiled.mesh_vertadr[mesh]
        points = compiled.mesh_vert[first : first + compiled.mesh_vertnum[mesh]]
        rotation = data.geom_xmat[geom].reshape(3, 3)
        found.setdefault(name, []).append(points @ rotation.T + data.geom_xpos[geom])
    return {name: np.concatenate(points) for name, points in found.items()}


def random_angles(count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.uniform(ROBOT.limits.lower, ROBOT.limits.upper, (count, 7))


@pytest.mark.parametrize('name', BODIES)
def test_capsules_cover_the_exact_mesh(name: str) -> None:
    q = random_angles(1, seed=1)
    capsules = LinkCapsules.at(ROBOT, arm_frames(ROBOT, q))
    mine = capsules.frames == BODIES[name]
    start, axis = capsules.start[0, mine], (capsules.end - capsules.start)[0, mine]
    points = vertices(q[0])[name][:, None]
    part = ((points - start) * axis).sum(-1) / np.maximum((axis * axis).sum(-1), 1e-12)
    nearest = start + np.clip(part, 0, 1)[..., None] * axis
    beyond = np.linalg.norm(points - nearest, axis=-1) - capsules.radius[mine]
    assert beyond.min(1).max() < 1e-3


@pytest.mark.parametrize('opening_m', [0.0, 0.02, 0.04])
def test_fingertips_are_as_low_as_the_exact_fingers(opening_m: float) -> None:
    """The corners of the open tips bound all fingers from below, with the hand above them."""
    tilts = np.random.default_rng(2).normal(scale=0.3, size=(30, 7))
    for q in ROBOT.home + tilts:
        capsules = LinkCapsules.at(ROBOT, arm_frames(ROBOT, q[None]))
        hand = capsules.heights()[capsules.frames[None] == 8].min()
        lowest = min(vertices(q, opening_m)[name][:, 2].min() for name in FINGERS)
        tips = fingertip_heights(ROBOT, arm_frames(ROBOT, q[None]))
        assert min(tips.min(), hand) < lowest + 1e-3


def test_the_hand_cannot_meet_the_forearm_within_the_limits() -> None:
    """So capsules, which touch there, are not looked at."""
    compiled, data = model()
    forearm, hand = (
        [g for g in range(compiled.ngeom)
         if compiled.body(compiled.geom_bodyid[g]).name in names and compiled.geom_contype[g]]
        for names in (('fr3_link5',), ('hand', *FINGERS))
    )  # fmt: skip
    limits, fromto = ROBOT.limits, np.zeros(6)
    for q6 in np.linspace(limits.lower[5], limits.upper[5], 5):
        for q7 in np.linspace(limits.lower[6], limits.upper[6], 7):
            vertices(np.array([*ROBOT.home[:5], q6, q7]))
            for a in forearm:
                for b in hand:
                    assert mujoco.mj_geomDistance(compiled, data, a, b, 0.3, fromto) > 5e-3


def test_distances_are_those_of_dense_points() -> None:
    q = random_angles(20, seed=3)
    capsules = LinkCapsules.at(ROBOT, arm_frames(ROBOT, q))
    apart, first, second = capsules.apart()
    part = np.linspace(0, 1, 60)[:, None]
    axis = capsules.end - capsules.start
    dense = capsules.start[:, :, None] + part * axis[:, :, None]
    box = WorkspaceBox((0.3, 0.1, 0.2), (0.5, 0.4, 0.6))
    away = np.linalg.norm(dense - np.clip(dense, box.lower, box.upper), axis=-1).min(-1)
    np.testing.assert_allclose(capsules.from_box(box), away - capsules.radius, atol=3e-3)
    for row in range(len(q)):
        gaps = dense[row, first][:, :, None] - dense[row, second][:, None]
        exact = np.linalg.norm(gaps, axis=-1).min((1, 2))
        expected = exact - capsules.radius[first] - capsules.radius[second]
        np.testing.assert_allclose(apart[row], expected, atol=3e-3)


def test_axes_are_as_far_from_a_box_as_a_search_finds() -> None:
    random = np.random.default_rng(0)
    lower, upper = np.array([0.3, 0.1, 0.2]), np.array([0.5, 0.4, 0.6])
    start, way = random.uniform(-0.2, 1.0, (400, 3)), random.normal(0.0, 0.4, (400, 3))
    way[:40, 1:] = 0.0  # along a side
    way[40:50] = 0.0  # balls
    start[:5], way[390:] = (lower + upper) / 2, 1e-12

    def away(part: np.ndarray) -> np.ndarray:
        point = start + part[:, None] * way
        return np.linalg.norm(point - np.clip(point, lower, upper), axis=-1)

    low, high = np.zeros(400), np.ones(400)
    for _ in range(200):  # ternary: convex along the axis
        one, other = low + (high - low) / 3, high - (high - low) / 3
        nearer = away(one) <= away(other)
        low, high = np.where(nearer, low, one), np.where(nearer, other, high)
    found = links._nearest_on(start, way, lower, upper)
    np.testing.assert_allclose(found, np.minimum(away(low), away(high)), atol=1e-7)
    assert np.isnan(links._nearest_on(start * np.nan, way, lower, upper)).all()


def test_home_is_clear_and_an_arm_in_a_box_is_not() -> None:
    home = np.array([ROBOT.home])
    assert collision(ROBOT, arm_frames(ROBOT, home), MARGINS) is None
    box = WorkspaceBox((0.25, -0.1, 0.55), (0.35, 0.1, 0.65))
    moved = home + [[0.4, 0, 0, 0, 0, 0, 0], [0.0] * 7]
    assert 'from box 0' in str(collision(ROBOT, arm_frames(ROBOT, moved), MARGINS, (box,)))
    # An arm that stands in it already may leave, or stay.
    assert collision(ROBOT, arm_frames(ROBOT, np.repeat(home, 3, 0)), MARGINS, (box,)) is None


def low_plan(adapter, rng: np.random.Generator) -> PlanCommand:  # noqa: ANN001
    """Down to just above the table, tilting the hand: what drove elbows and hands into it."""
    plan = plan_from(adapter, 0.0, tuple(rng.uniform([-0.05, -0.1, -0.12], [0.1, 0.1, 0.0])))
    tilt = torch.from_numpy(rng.normal(scale=0.35, size=3))
    shape = torch.linspace(0, 1, len(plan.positions), dtype=torch.float64)[:, None]
    rotations = so3_exp(shape * tilt) @ quaternion_to_matrix(torch.from_numpy(plan.quaternions))
    return replace(plan, quaternions=matrix_to_quaternion(rotations).numpy())


def low_start(rng: np.random.Generator) -> np.ndarray:
    low = [0.0, 0.25, 0.0, -2.3, 0.0, 2.55, 0.785]
    return np.array(low) + rng.normal(scale=0.1, size=7)


@pytest.mark.fault('plan_collision')
def test_no_accepted_plan_takes_an_exact_mesh_into_the_table() -> None:
    rng = np.random.default_rng(4)
    lowest, outcomes = [], {'accepted': 0, rejection.COLLISION: 0}
    for _ in range(120):
        adapter, arm = ready(low_start(rng))
        try:
            plan = low_plan(adapter, rng)
            command = adapter.on_plan(plan, 0.0)
        except CommandRejectedError as error:
            outcomes[error.reason] = outcomes.get(error.reason, 0) + 1
            continue
        outcomes['accepted'] += 1
        arm.accept(command)
        stop_s = rng.uniform(0.0, 0.8)
        arm.tell(adapter, stop_s)
        for time_s in np.linspace(0.0, stop_s, 6):
            lowest.append(lowest_mesh(arm.state(time_s)[0]))
        arm.accept(adapter.stop(stop_s))
        for time_s in np.linspace(stop_s, stop_s + 0.5, 6):
            lowest.append(lowest_mesh(arm.state(time_s)[0]))
    assert outcomes['accepted'] >= 10, outcomes
    assert outcomes[rejection.COLLISION] >= 3, outcomes
    assert min(lowest) > -2e-3


def lowest_mesh(q: np.ndarray) -> float:
    """Height of the lowest point of what moves above the table, m; tips within what is allowed."""
    meshes = vertices(q)
    return min(meshes[name][:, 2].min() for name in (*list(BODIES)[2:], *FINGERS))


def test_margins_are_those_of_the_configuration() -> None:
    boxes = (WorkspaceBox((0.55, -0.2, 0.0), (0.75, 0.2, 0.2)),)
    adapter, _ = ready(config=AdapterConfig(safety=SafetyConfig(boxes=boxes)))
    with pytest.raises(CommandRejectedError, match='from box 0') as caught:
        adapter.on_plan(plan_from(adapter, 0.0, (0.12, 0.0, -0.12)), 0.0)
    assert caught.value.reason == rejection.COLLISION
    assert rejection.COLLISION in rejection.OF_THE_MOTION
