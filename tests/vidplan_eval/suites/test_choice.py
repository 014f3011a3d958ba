# SPDX-License-Identifier: Apache-2.0
"""The suite `choice` on the real classes: branches are exact, every chooser is heard."""

from __future__ import annotations

import numpy as np
import pytest

from tests.fakes.tiny_system import tiny_system
from vidplan_core.geometry.camera_files import default_layout
from vidplan_eval.episode import make_episode
from vidplan_eval.suites.choice import CHOOSERS, PLANNER, ChoiceSuite
from vidplan_eval.world import World
from vidplan_sim.cell import Cell

SEED = 12


@pytest.fixture(scope='module')
def world():
    world = World(Cell(64, 128), default_layout().resized(32, 64), 0.2)
    yield world
    world.cell.close()


def suite(world: World, threshold: float) -> ChoiceSuite:
    systems = [tiny_system(threshold, method=method) for method in ('no_refine', 'kinematic')]
    return ChoiceSuite(*systems, world)


def test_every_candidate_is_executed_from_the_same_moment(world):
    row = suite(world, threshold=0.5).run(make_episode(SEED))
    assert row.error == ''
    assert len(row.distances_m) == 6
    assert row.best == int(np.argmin(row.distances_m))
    # Opposite directions end a candidate's length apart: about 2 x 12 cm.
    assert max(row.distances_m) - min(row.distances_m) > 0.05
    assert set(row.chosen) == set(row.scores) == set(CHOOSERS)
    for name, chosen in row.chosen.items():
        assert row.scores[name][chosen] == max(row.scores[name])
    assert row.latency_s > 0


def test_a_state_is_the_same_every_time(world):
    first, second = (suite(world, threshold=0.5).run(make_episode(SEED)) for _ in range(2))
    assert first.distances_m == second.distances_m
    assert first.chosen == second.chosen


def test_a_planner_that_finds_nothing_has_chosen_nothing(world):
    row = suite(world, threshold=1.0).run(make_episode(SEED))
    assert 'TARGET_NOT_FOUND' in row.error
    assert PLANNER not in row.chosen
    assert row.best is not None


def test_a_crash_is_a_row(world):
    broken = suite(world, threshold=0.5)
    broken._start = None
    row = broken.run(make_episode(SEED))
    assert 'TypeError' in row.error
    assert row.best is None
