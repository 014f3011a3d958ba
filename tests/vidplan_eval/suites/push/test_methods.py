# SPDX-License-Identifier: Apache-2.0
"""Scenes with room to push in, and the rule that pushes what it knows or saw once."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from vidplan_core.errors import ConfigError
from vidplan_core.geometry.camera_files import default_layout
from vidplan_core.language.instruction import parse_instruction
from vidplan_core.planner.tasks.pushing.way import HEADINGS
from vidplan_eval.lockstep import DONE, Pace
from vidplan_eval.suites.judging.summary import summarise_judged
from vidplan_eval.suites.push.episode import run_push
from vidplan_eval.suites.push.methods import make_push_method
from vidplan_eval.suites.push.names import EXPERT, NOTHING, SCRIPTED
from vidplan_eval.suites.push.scenes import push_episode
from vidplan_eval.world import World
from vidplan_sim import push_scenes
from vidplan_sim.cell import Cell

SEED = 800_000
PACE = Pace(2, limit_s=18.0)


@pytest.fixture(scope='module')
def world():
    world = World(Cell(48, 80), default_layout().resized(24, 40), 0.2)
    yield world
    world.cell.close()


@pytest.mark.parametrize('seed', range(SEED, SEED + 4))
def test_the_target_has_room_and_others_are_added(seed: int) -> None:
    found = push_episode(seed, 4)
    asked = parse_instruction(found.instruction)
    assert (asked.verb, asked.way) == ('push', found.way)
    assert found.kind not in push_scenes.TIPPED
    assert len(found.distractors) == 4
    fewer = push_episode(seed, 2)
    assert (fewer.scene.bowl, fewer.scene.objects) == (found.scene.bowl, found.scene.objects[:3])
    start, heading = (np.array([found.scene.objects[0].x, found.scene.objects[0].y]),
                      np.array(HEADINGS[found.way]))  # fmt: skip
    for other in (*found.scene.objects[1:], found.scene.bowl):
        for along in np.linspace(0.0, 0.12, 5):
            gap = np.array([other.x, other.y]) - start - along * heading
            assert np.linalg.norm(gap) > 0.10


def test_robot_and_cell_mean_the_same_ways() -> None:
    assert push_scenes.HEADINGS == HEADINGS
    with pytest.raises(ConfigError, match='allowed: 0 to 5'):
        push_episode(SEED, 6)


@pytest.mark.parametrize(('name', 'success'), [(EXPERT, True), (SCRIPTED, True), (NOTHING, False)])
def test_rules_push_what_they_know(world, name: str, success: bool) -> None:
    """The scripted rule is told where the thing is, and believes the rest."""
    episode = push_episode(SEED, 1)
    method = make_push_method(name, SimpleNamespace(parts=SimpleNamespace(locator=None)), PACE)
    if name == SCRIPTED:
        made = method.make
        place = np.array([episode.scene.objects[0].x, episode.scene.objects[0].y, 0.03])

        def placed(world, episode):
            planner = made(world, episode)
            planner._sight.place = place.copy()
            return planner

        method = type(method)(placed, PACE)
    row, _ = run_push(method, world, episode, limit_s=18.0 if success else 3.0)
    assert (row.success, row.error) == (success, '')
    assert (row.ended == DONE) == success
    found = summarise_judged({'suite': 'push'}, [row], 1)
    assert (found['successes'], found['judged_done_rightly']) == (success, success)
