# SPDX-License-Identifier: Apache-2.0
"""Scenes of the bowl tasks: common to all tasks, methods and numbers of distractors."""

from __future__ import annotations

import pytest

from vidplan_core.errors import ConfigError
from vidplan_core.language.instruction import Instruction, parse_instruction
from vidplan_eval.suites.pick_place.names import TASKS
from vidplan_eval.suites.pick_place.scenes import MOST_DISTRACTORS, pick_place_episode

SEEDS = range(800_000, 800_012)


@pytest.mark.parametrize('task', TASKS)
@pytest.mark.parametrize('seed', SEEDS)
def test_the_target_stands_in_its_place_among_different_others(task, seed):
    found = pick_place_episode(task, seed, 4)
    kinds = [placed.kind for placed in found.scene.objects]
    assert kinds[0] == found.kind == TASKS[task]
    assert len(set(kinds)) == 5
    assert sorted(found.distractors) == sorted(kinds[1:])
    assert found == pick_place_episode(task, seed, 4)


@pytest.mark.parametrize('task', TASKS)
def test_one_distractor_more_changes_nothing_else(task):
    episodes = [pick_place_episode(task, SEEDS[0], n) for n in range(MOST_DISTRACTORS + 1)]
    for fewer, more in zip(episodes, episodes[1:]):
        assert more.scene.objects[:-1] == fewer.scene.objects
        assert more.scene.q_start == fewer.scene.q_start
        assert more.scene.bowl == fewer.scene.bowl


def test_tasks_share_all_places():
    places = {
        tuple((p.x, p.y, p.yaw, p.scale) for p in pick_place_episode(t, 7, 5).scene.objects)
        for t in TASKS
    }
    assert len(places) == 1


@pytest.mark.parametrize('task', TASKS)
def test_the_instruction_names_the_target_and_the_bowl(task):
    read = parse_instruction(pick_place_episode(task, 1, 0).instruction)
    assert read == Instruction('place', TASKS[task], 'bowl')


@pytest.mark.parametrize(
    ('task', 'distractors', 'words'),
    [('tap', 4, 'tape, fish, pea, carrot'), ('pea', 6, '0 to 5'), ('pea', -1, '0 to 5')],
)
def test_what_cannot_be_is_named(task, distractors, words):
    with pytest.raises(ConfigError, match=words):
        pick_place_episode(task, 1, distractors)
