# SPDX-License-Identifier: Apache-2.0
"""Unseen scenes differ from training's in what they should, and in nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vidplan_sim.cell import Cell
from vidplan_sim.objects.catalogue import kind_named
from vidplan_sim.objects.everyday import KIND_NAMES
from vidplan_sim.objects.unseen import UNSEEN_KINDS, UNSEEN_NAMES
from vidplan_sim.scene import UNSEEN, random_scene

SEED = 1_000_003


def test_unseen_kinds_are_other_kinds() -> None:
    assert len(UNSEEN_NAMES) >= 4
    assert not set(UNSEEN_NAMES) & {*KIND_NAMES, 'bowl'}
    assert all(kind_named(kind.name) is kind for kind in UNSEEN_KINDS)


@pytest.mark.parametrize('seed', range(5))
def test_unseen_scenes_change_one_thing_only(seed: int) -> None:
    seen = random_scene(seed)
    things, lights = (random_scene(seed, unseen=what) for what in UNSEEN)
    renamed = tuple(replace(o, kind=p.kind) for o, p in zip(seen.objects, things.objects))
    assert things == replace(seen, objects=renamed)
    assert {o.kind for o in things.objects} <= set(UNSEEN_NAMES)
    assert lights == replace(seen, light=lights.light)
    assert not 0.4 <= lights.light.strength <= 0.65
    assert not 0.32 <= lights.light.ambient <= 0.48


def test_nothing_else_is_unseen() -> None:
    with pytest.raises(ValueError, match='objects'):
        random_scene(0, unseen='tables')


def test_unseen_objects_stand_and_are_seen_by_a_cell_made_for_them() -> None:
    cell = Cell(96, 160, unseen=True)
    scene = random_scene(SEED, count=6, unseen='objects')
    cell.reset(scene)
    lying = {name: place.copy() for name, place in cell.truth().items()}
    with_things = cell.render()
    cell.step(0.4)
    for name, place in cell.truth().items():
        assert np.linalg.norm(place - lying[name]) < 0.005, name  # nothing slides or sinks
        assert 0.0 < place[2] < 0.08
    cell.reset(replace(scene, objects=()))
    without = cell.render()
    for view in ('left', 'right'):
        moved = np.abs(with_things[view].astype(int) - without[view]).max(-1) > 25
        assert moved.mean() > 0.02
    assert set(np.unique(cell.segmentation()['left'])) <= set(range(len(cell.segment_names)))
    cell.close()


def test_a_plain_cell_says_what_it_lacks() -> None:
    cell = Cell(96, 160)
    with pytest.raises(ValueError, match='unseen=True'):
        cell.reset(random_scene(SEED, unseen='objects'))
