# SPDX-License-Identifier: Apache-2.0
"""Random scenes are reproducible, spread out and reachable."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from vidplan_core.language.instruction import noun_phrase
from vidplan_sim.arm.kinematics import TCP_FROM_FLANGE_M, forward
from vidplan_sim.objects.catalogue import UNSEEN_KINDS, kind_named
from vidplan_sim.objects.everyday import BOWL, KINDS
from vidplan_sim.objects.kind import ObjectKind
from vidplan_sim.scene import (
    BOWL_GAP_M,
    MAX_OBJECTS,
    OBJECT_AREA_M,
    OBJECT_GAP_M,
    START_REGION_M,
    ObjectPlacement,
    Scene,
    random_scene,
)
from vidplan_sim.staging import check_scene


def test_a_seed_gives_one_scene() -> None:
    assert random_scene(7) == random_scene(7)
    assert random_scene(7) != random_scene(8)


@pytest.mark.parametrize('count', range(1, MAX_OBJECTS + 1))
def test_has_as_many_different_objects_as_asked_for(count: int) -> None:
    scene = random_scene(11, count)
    assert len({placement.kind for placement in scene.objects}) == count
    check_scene(scene)


@pytest.mark.parametrize('seed', range(8))
def test_objects_keep_their_distance_inside_the_area(seed: int) -> None:
    scene = random_scene(seed, MAX_OBJECTS)
    spots = [np.array([p.x, p.y]) for p in scene.objects]
    bowl = np.array([scene.bowl.x, scene.bowl.y])
    for first, second in combinations(spots, 2):
        assert np.linalg.norm(first - second) >= OBJECT_GAP_M
    for spot in spots:
        assert np.linalg.norm(spot - bowl) >= BOWL_GAP_M
        for value, (low, high) in zip(spot, OBJECT_AREA_M):
            assert low <= value <= high


@pytest.mark.parametrize('seed', range(8))
def test_starts_with_the_gripper_down_in_its_region(seed: int) -> None:
    position, rotation, _ = forward(np.array(random_scene(seed).q_start))
    np.testing.assert_allclose(rotation[:, 2], [0.0, 0.0, -1.0], atol=1e-3)
    tcp = position + TCP_FROM_FLANGE_M * rotation[:, 2]
    for value, (low, high) in zip(tcp, START_REGION_M):
        assert low - 1e-3 <= value <= high + 1e-3


@pytest.mark.parametrize('count', [0, 7, -1])
def test_impossible_counts_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match='1 to 6'):
        random_scene(0, count)


def test_negative_seed_is_refused() -> None:
    with pytest.raises(ValueError, match='seed'):
        random_scene(-1)


CARROT = ObjectPlacement('carrot', 0.5, -0.1)
PLAIN = Scene(0, (CARROT,))


@pytest.mark.parametrize(('scene', 'message'), [
    (replace(PLAIN, objects=(replace(CARROT, kind='unicorn'),)), 'unicorn.*carrot.*bowl'),
    (replace(PLAIN, objects=(CARROT, CARROT)), 'at most once'),
    (replace(PLAIN, objects=(replace(CARROT, scale=3.0),)), 'scale 3.0'),
    (replace(PLAIN, objects=(replace(CARROT, kind='bowl'),)), 'scene.bowl'),
    (replace(PLAIN, table_look=99), 'table_look'),
    (replace(PLAIN, q_start=(0.0,)), '7 joints'),
    (replace(PLAIN, objects=tuple(replace(CARROT, kind=k.name) for k in KINDS[:7])), 'at most 6'),
], ids=['kind', 'twice', 'scale', 'bowl', 'table', 'joints', 'many'])
def test_scenes_that_cannot_be_built_are_refused(scene: Scene, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_scene(scene)


def test_kinds_are_found_by_name() -> None:
    assert kind_named('measuring tape').noun == 'measuring tape'
    assert kind_named('bowl') is BOWL
    assert len(KINDS) >= 12
    assert len({kind.name for kind in KINDS}) == len(KINDS)
    assert all(kind.phrases and kind.noun for kind in (*KINDS, BOWL))


@pytest.mark.parametrize('kind', [*KINDS, *UNSEEN_KINDS, BOWL], ids=lambda kind: kind.name)
def test_every_phrase_of_an_object_is_understood(kind: ObjectKind) -> None:
    for phrase in (kind.noun, *kind.phrases):
        assert noun_phrase(phrase)
