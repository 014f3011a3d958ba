# SPDX-License-Identifier: Apache-2.0
"""Choice, refinement, memory and the plan cycle, on fakes whose best answer is known."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.fakes.tiny import down
from tests.fakes.tiny_system import tiny_system
from vidplan_core.control.commands import CommittedMotion
from vidplan_core.data.action import PoseChunk
from vidplan_core.errors import ConfigError, ModelError
from vidplan_core.geometry.camera import Camera, load_cameras
from vidplan_core.geometry.robot_files import default_robot
from vidplan_core.language.instruction import Instruction
from vidplan_core.language.relevancy import Localisation
from vidplan_core.planner.config import PlannerConfig
from vidplan_core.planner.interfaces import Score, Situation
from vidplan_core.planner.motion.committed import (
    angles_at,
    chunk_ahead,
    rests,
    turn_rate_at,
    velocity_at,
)
from vidplan_core.planner.motion.refine import into_ball, refine
from vidplan_core.planner.objective.combination import UncertaintyPenalty
from vidplan_core.planner.objective.distance import DistanceTerm
from vidplan_core.planner.objective.objective import TermObjective
from vidplan_core.planner.objective.relevancy import RelevancyTerm
from vidplan_core.planner.target.locating import Sighting, TargetLocator
from vidplan_core.planner.target.memory import TargetMemory

# Refinement


def quadratic(goal: Tensor, ripple: float = 0.0):
    """A hill, with rings around its top; what is kept of a motion is its double."""

    def value(motion: Tensor) -> tuple[Tensor, Tensor]:
        away = (motion - goal).norm()
        return ripple * torch.cos(60 * away) - away.square(), 2 * motion

    return value


@given(st.lists(st.floats(-0.1, 0.1), min_size=3, max_size=3), st.sampled_from([0.0, 0.002]))
@settings(max_examples=30, deadline=None)
def test_refinement_never_gets_worse_and_stays_in_its_ball(
    goal: list[float], ripple: float
) -> None:
    start = torch.tensor([[0.05, 0.0, 0.0]])
    value = quadratic(torch.tensor(goal), ripple)
    refined = refine(value, start, iterations=6, step=0.04, radius=0.08)
    values = refined.values.tolist()
    assert len(values) == 7
    assert values == sorted(values)
    assert values[0] == float(value(start)[0])
    assert values[-1] == float(value(refined.motion)[0])
    assert torch.equal(refined.kept, 2 * refined.motion)
    assert float(refined.motion.norm()) <= 0.08 + 1e-6


def test_refinement_finds_the_top_of_a_hill() -> None:
    goal = torch.tensor([0.06, 0.03, -0.02])
    refined = refine(quadratic(goal), torch.zeros(1, 3), iterations=30, step=0.04, radius=0.14)
    assert float((refined.motion - goal).norm()) < 5e-3


def test_refinement_stops_when_asked_and_survives_values_that_are_not_finite() -> None:
    start = torch.tensor([[0.05, 0.0, 0.0]])
    stopped = refine(
        quadratic(torch.zeros(3)),
        start,
        iterations=9,
        step=0.04,
        radius=1,
        should_stop=lambda: True,
    )
    assert torch.equal(stopped.motion, start)
    broken = refine(lambda m: (m.sum() * math.nan, m), start, iterations=3, step=0.04, radius=1)
    assert torch.equal(broken.motion, start)


def test_into_ball_leaves_short_vectors_alone() -> None:
    vectors = torch.tensor([[0.01, 0.0, 0.0], [3.0, 4.0, 0.0]])
    torch.testing.assert_close(
        into_ball(vectors, 0.5), torch.tensor([[0.01, 0.0, 0.0], [0.3, 0.4, 0.0]])
    )


# Cameras and the objective


def overhead(mount: str = 'base') -> Camera:
    """A camera 1 m above x = 0.5 that looks straight down, picture 1 m x 0.6 m at z = 0."""
    rotation = ((0.0, -1.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 0.0, -1.0))
    position = (0.5, 0.0, 1.0) if mount == 'base' else (0.0, 0.0, 0.0)
    return Camera(mount, position, rotation, (1.0, 1.0 / 0.6), 0.02)


@pytest.mark.parametrize(
    ('centroid', 'expected'),
    [
        ((0.5, 0.5), (0.5, 0.0)),
        ((0.75, 0.5), (0.5, -0.25)),  # right in the picture is -y
        ((0.5, 1.0), (0.2, 0.0)),  # down in the picture is -x
    ],
    ids=['centre', 'right', 'down'],
)
def test_rays_meet_the_table(centroid: tuple[float, float], expected: tuple[float, float]) -> None:
    point = overhead().on_plane(torch.tensor(centroid), torch.zeros(3), torch.eye(3), 0.0)
    torch.testing.assert_close(point, torch.tensor([*expected, 0.0]), atol=1e-6, rtol=0)


def test_level_rays_stay_finite() -> None:
    camera = Camera('base', (0.0, 0.0, 1.0), ((0, 0, 1), (-1, 0, 0), (0, -1, 0)), (1.0, 1.0), 0.1)
    centroid = torch.tensor([0.5, 0.5], requires_grad=True)
    point = camera.on_plane(centroid, torch.zeros(3), torch.eye(3), 0.0)
    (gradient,) = torch.autograd.grad(point.sum(), centroid)
    assert torch.isfinite(point).all()
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        (None, 'missing'),
        ('nonsense', 'not a camera layout'),
        ('{"left": {}}', 'mount|rotation'),
        ('{"right": {}}', "named 'left'"),
    ],
    ids=['missing', 'json', 'empty', 'view'],
)
def test_wrong_camera_layouts_are_named(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / 'cameras.json'
    if text is not None:
        path.write_text(text)
    with pytest.raises(ModelError, match=message):
        load_cameras(path, ('left',))


class BrightnessScorer:
    """Finds the brightest pixel: relevancy is the mean over colours."""

    def relevancy(self, images: Tensor, phrase: str) -> Tensor:
        return images.mean(1)

    def localise(self, relevancy: Tensor) -> Localisation:
        weights = relevancy.square() / relevancy.square().sum((-2, -1), keepdim=True)
        rows, columns = relevancy.shape[-2:]
        x, y = (torch.arange(columns) + 0.5) / columns, (torch.arange(rows) + 0.5) / rows
        centroid = torch.stack([(weights * x).sum((-2, -1)), (weights.mT * y).sum((-2, -1))], -1)
        peak = relevancy.amax((-2, -1))
        return Localisation(peak, centroid, peak, peak > 0.5)


def spot(x: int, y: int) -> Tensor:
    """One view (1, 1, 3, 60, 100) with a single bright pixel."""
    picture = torch.zeros(1, 1, 3, 60, 100)
    picture[..., y, x] = 1.0
    return picture


@pytest.fixture
def locator() -> TargetLocator:
    return TargetLocator(BrightnessScorer(), 0.5, {'top': overhead()}, height_m=0.03)


def score_of(locator: TargetLocator, position: list[list[list[float]]]) -> Score:
    """Score of a spot seen from flange positions (candidates, frames, 3), gripper down."""
    terms = {'relevancy': RelevancyTerm(0.2), 'distance': DistanceTerm(10.0)}
    objective = TermObjective(
        terms, (4,), 0.0, lambda latents: latents, locator, None, UncertaintyPenalty(),
        default_robot(),
    )  # fmt: skip
    nowhere: Any = None  # pictures are scored without the past and the start
    target = torch.tensor([0.5, 0.0, 0.03])
    situation = Situation(nowhere, nowhere, Instruction('reach', 'spot'), target, target)
    places = torch.tensor(position)
    count, frames = places.shape[:2]
    poses = PoseChunk(places, down().expand(count, frames, 3, 3), torch.zeros(count, frames))
    images = spot(50, 30).expand(count, frames, -1, -1, -1, -1)
    return objective.score_pictures(situation, poses, images)


def test_the_nearer_future_scores_higher(locator: TargetLocator) -> None:
    score = score_of(locator, [[[0.5, 0.0, 0.2]], [[0.5, 0.1, 0.2]], [[0.5, 0.0, 0.3]]])
    assert score.total.argmax() == 0
    assert set(score.terms) == {'relevancy', 'distance_m'}


def test_a_candidate_counts_as_its_best_frame(locator: TargetLocator) -> None:
    near, far = [0.5, 0.0, 0.2], [0.5, 0.2, 0.2]
    there_and_away, there = (score_of(locator, [path]) for path in ([near, far], [near, near]))
    torch.testing.assert_close(there_and_away.total, there.total)


def test_a_place_far_from_the_memory_is_not_believed(locator: TargetLocator) -> None:
    sighting = locator.look(spot(95, 30), torch.zeros(1, 3), down()[None], 'spot')
    assert sighting.points.shape == (1, 1, 3)
    memory = torch.tensor([0.5, 0.1, 0.03])
    torch.testing.assert_close(locator.fuse(sighting, memory)[0], memory, atol=0.01, rtol=0)


# Memory


def sighting_of(points: list[list[float]], certainty: list[float]) -> Sighting:
    return Sighting(
        torch.tensor([points]), torch.tensor([certainty]), torch.tensor([certainty]),
        torch.zeros(1, len(points), 2, 2), torch.full((1, len(points), 2), 0.5),
    )  # fmt: skip


def test_memory_sides_with_the_views_that_agree() -> None:
    memory = TargetMemory()
    here, near, elsewhere = [0.5, 0.0, 0.03], [0.51, 0.01, 0.03], [0.3, 0.3, 0.03]
    assert memory.update(sighting_of([here, elsewhere, near], [0.9, 0.9, 0.9]), torch.ones(3))
    assert float((memory.place - torch.tensor(here)).norm()) < 0.02


def test_memory_keeps_its_place_and_counts_misses() -> None:
    memory = TargetMemory()
    assert not memory.update(sighting_of([[0.5, 0.0, 0.0]], [0.1]), torch.ones(1))
    assert memory.place is None
    memory.update(sighting_of([[0.5, 0.0, 0.0]], [0.9]), torch.ones(1))
    memory.update(sighting_of([[0.9, 0.0, 0.0]], [0.1]), torch.ones(1))
    assert memory.missed == 1
    torch.testing.assert_close(memory.place, torch.tensor([0.5, 0.0, 0.0]))


# Committed motion


@pytest.fixture
def motion() -> CommittedMotion:
    """Along x at 0.1 m/s for 0.4 s, then rest."""
    times = np.array([10.0, 10.2, 10.4])
    position = np.stack([0.1 * (times - 10) + 0.5, 0 * times, 0 * times + 0.3], -1)
    return CommittedMotion(times, position, np.tile([1.0, 0, 0, 0], (3, 1)), np.zeros(3))


def test_committed_motion_is_sampled_and_then_rests(motion: CommittedMotion) -> None:
    chunk = chunk_ahead(motion, 10.1, 5, 0.2)
    x = chunk.position[0, :, 0].numpy()
    np.testing.assert_allclose(x, [0.51, 0.53, 0.54, 0.54, 0.54], atol=1e-9)
    np.testing.assert_allclose(velocity_at(motion, 10.2), [0.1, 0, 0], atol=1e-9)
    np.testing.assert_allclose(velocity_at(motion, 10.5), 0)
    assert not rests(motion, 10.0)
    assert rests(motion, 10.4)
    assert angles_at(motion, 10.2) is None


def test_a_committed_motion_of_one_pose_stays_there(motion: CommittedMotion) -> None:
    held = CommittedMotion(
        motion.times_s[:1], motion.position[:1], motion.quaternion[:1], np.ones(1)
    )
    chunk = chunk_ahead(held, 10.1, 5, 0.2)
    np.testing.assert_allclose(chunk.position[0], np.tile([0.5, 0, 0.3], (5, 1)), atol=1e-9)
    np.testing.assert_allclose(chunk.closedness[0], 1.0)
    np.testing.assert_allclose(turn_rate_at(held, 10.0), 0)


# Configuration


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        ({'method': 'magic'}, 'magic'),
        ({'steps': 0}, 'steps is 0; allowed: an integer, 1 .. 50'),
        ({'sampler': 'euler'}, "sampler is 'euler'; allowed: one of flow_map, edm"),
        ({'committed_frames': -1}, 'committed_frames is -1; allowed: an integer, from 0 model'),
        (
            {'score_frames': (0,)},
            r'score_frames is \[0\]; allowed: a list, each from 1, at least 1',
        ),
        ({'score_frames': ()}, r'score_frames is \[\]; allowed: a list'),
        ({'step_m': 0.0}, r'step_m is 0.0; allowed: 0.001 .. 0.3 m'),
        ({'weights': {'distance': float('nan')}}, 'weights.distance is nan; allowed: '),
        ({'conformal': 1}, 'conformal is 1; allowed: true or false'),
    ],
)
def test_impossible_configuration_is_named(values: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PlannerConfig(**values)


@pytest.mark.parametrize(
    'values', [{'score_frames': (1, 4)}, {'committed_frames': 4, 'score_frames': (1,)}]
)
def test_frames_are_bounded_by_what_the_model_imagines(values: dict) -> None:
    config = PlannerConfig(**values)
    config.check_frames(5)
    with pytest.raises(ConfigError, match=f'{next(iter(values))} is .*; allowed: up to 2'):
        config.check_frames(3)


def test_system_refuses_frames_that_its_model_does_not_imagine() -> None:
    with pytest.raises(ConfigError, match='committed_frames is 9; allowed: up to 4'):
        tiny_system(committed_frames=9)
