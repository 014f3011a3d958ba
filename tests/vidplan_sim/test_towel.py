# SPDX-License-Identifier: Apache-2.0
"""A towel of cloth joins a scene, can be branched from and seen; other scenes have none."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from vidplan_sim.cell import Cell
from vidplan_sim.objects import cloth
from vidplan_sim.render.views import SEGMENT_NAMES
from vidplan_sim.scene import ObjectPlacement, Scene, TowelPlacement, random_scene
from vidplan_sim.towel_scenes import (
    BOWL_GAP_M,
    GAP_M,
    MOST_DISTRACTORS,
    beyond_edge,
    cell_scene,
    towel_scene,
)

LYING = Scene(0, (), bowl=ObjectPlacement('bowl', 0.35, 0.3), towel=TowelPlacement(0.5, 0.0, 0.4))


@pytest.fixture(scope='module')
def cell() -> Iterator[Cell]:
    cell = Cell(48, 80)
    yield cell
    cell.close()


def test_lies_where_the_scene_says(cell: Cell) -> None:
    cell.reset(LYING)
    wanted = cloth.flat(0.5, 0.0, 0.4)
    assert np.abs(cell.cloth()[..., :2] - wanted[..., :2]).max() < 0.002
    assert 0.0 < cell.cloth()[..., 2].min() <= cell.cloth()[..., 2].max() < 0.005
    assert np.abs(cell.truth()['towel'][:2] - [0.5, 0.0]).max() < 0.002
    pixels = [(ids == SEGMENT_NAMES.index('towel')).mean() for ids in cell.segmentation().values()]
    assert min(pixels) > 0.02


def test_a_moment_can_be_branched_from_exactly(cell: Cell) -> None:
    cell.reset(LYING)
    saved = cell.save()
    cell.step(0.04)
    first = cell.cloth()
    cell.reset(random_scene(3, 1))  # which has no towel
    cell.restore(saved)
    cell.step(0.04)
    assert np.array_equal(cell.cloth(), first)


def test_other_scenes_have_no_cloth_and_say_so(cell: Cell) -> None:
    cell.reset(random_scene(3, 1))
    assert 'towel' not in cell.truth() or 'towel' in [p.kind for p in cell.scene.objects]
    with pytest.raises(ValueError, match='no towel'):
        cell.cloth()


def test_the_folded_towel_and_the_spread_one_exclude_each_other(cell: Cell) -> None:
    both = Scene(0, (ObjectPlacement('towel', 0.6, 0.2),), towel=TowelPlacement(0.5, 0.0))
    with pytest.raises(ValueError, match='not both'):
        cell.reset(both)


@pytest.mark.parametrize('seed', [0, 7, 800_001])
def test_things_lie_beside_the_towel(seed: int) -> None:
    scene = towel_scene(seed, 5)
    assert scene.towel is not None
    assert len(scene.objects) == 5
    gaps = [beyond_edge(scene.towel, np.array([p.x, p.y])) for p in scene.objects]
    assert min(gaps) >= GAP_M
    assert beyond_edge(scene.towel, np.array([scene.bowl.x, scene.bowl.y])) >= BOWL_GAP_M
    fewer = towel_scene(seed, 2)
    assert (fewer.towel, fewer.bowl, fewer.objects) == (
        scene.towel, scene.bowl, scene.objects[:2]
    )


def test_impossible_numbers_of_things_are_refused() -> None:
    with pytest.raises(ValueError, match='0 to 5, got 6'):
        towel_scene(0, 6)


def test_the_mesh_covers_the_square_once() -> None:
    flat = cloth.flat(0.0, 0.0, 0.0).reshape(-1, 3)[:, :2]
    a, b, c = (flat[cloth.triangles()[:, k]] for k in range(3))
    first, second = b - a, c - a
    areas = 0.5 * np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0])
    assert areas.sum() == pytest.approx(cloth.SIDE_M**2)


@pytest.mark.parametrize('seed', [3, 1_000_000])
@pytest.mark.parametrize('objects', [0, 2, 5])
def test_a_cell_gets_the_scene_that_it_asks_for(seed: int, objects: int) -> None:
    assert cell_scene(seed, objects) == random_scene(seed, objects or None)
    folded = cell_scene(seed, objects, towel=True)
    decided = min(len(random_scene(seed).objects), MOST_DISTRACTORS)
    assert folded == towel_scene(seed, objects or decided)


def test_a_towel_leaves_room_for_five() -> None:
    with pytest.raises(ValueError, match='distractors must be 0 to 5, got 6'):
        cell_scene(0, 6, towel=True)


def test_another_cell_shows_the_same_moment(cell: Cell) -> None:
    cell.reset(LYING)
    cell.step(0.04)
    seen = cell.render()
    other = Cell(48, 80)
    try:
        other.restore(cell.save())
        assert np.array_equal(other.cloth(), cell.cloth())
        assert all(np.array_equal(seen[view], shown) for view, shown in other.render().items())
        cell.step(0.04)
        other.step(0.04)
        assert np.array_equal(other.cloth(), cell.cloth())
    finally:
        other.close()
