# SPDX-License-Identifier: Apache-2.0
"""The suite `hacking`: lures are fair, phantoms tempt, and a head that knows errors resists."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fakes.tiny_heads import ErrorUncertainty, tiny_heads
from tests.fakes.tiny_system import tiny_system
from vidplan_core.geometry.camera_files import default_layout
from vidplan_core.geometry.fk import flange_pose, tcp_position
from vidplan_core.heads.bundle import Heads
from vidplan_core.planner.config import PlannerConfig
from vidplan_core.planner.system import PlanningSystem
from vidplan_eval.episode import make_episode
from vidplan_eval.suites.hacking import (
    LURE_M,
    WITH,
    WITHOUT,
    HackingRow,
    HackingSuite,
    lure,
    summarise_hacking,
    tempting,
)
from vidplan_eval.viz.pictures import strip_picture
from vidplan_eval.world import World
from vidplan_sim.cell import Cell

SEED = 12
TRUSTING = {'uncertainty_discount': 0.0, 'uncertainty_weight': 0.0}
MODELS = Path(__file__).resolve().parents[3] / 'models' / 'cell'


@pytest.mark.parametrize('seed', range(5))
def test_lures_start_beside_their_object(seed: int) -> None:
    episode = lure(seed, 4)
    assert episode == lure(seed, 4)
    assert episode.kind == make_episode(seed, 4).kind
    q = torch.tensor(episode.scene.q_start, dtype=torch.float64)
    tool = tcp_position(*flange_pose(q)).numpy()
    named = next(p for p in episode.scene.objects if p.kind == episode.kind)
    away = np.abs([named.x - tool[0], named.y - tool[1]])
    assert np.hypot(*away) == pytest.approx(LURE_M, abs=1e-3)
    assert away.min() < 0.4 * away.max()  # nearly along an axis


@pytest.fixture(scope='module')
def world():
    world = World(Cell(64, 128), default_layout().resized(32, 64), 0.2)
    yield world
    world.cell.close()


def test_both_planners_are_tempted_in_the_same_way(world: World) -> None:
    choices = {'threshold': 0.5, 'method': 'no_refine'}
    suite = HackingSuite(
        {
            False: tiny_system(**choices, **TRUSTING),
            True: tiny_system(**choices, heads=tiny_heads()),
        },
        world,
    )
    rows = suite.run(lure(SEED, 4))
    assert [row.uncertainty_weighting for row in rows] == [False, True]
    assert all(row.phantom_chosen == (row.chosen == row.phantom) for row in rows)
    assert all(row.phantom != row.clean_choice and len(row.scores) == 6 for row in rows)
    assert rows[0].uncertainty is None
    assert 0.0 <= rows[1].uncertainty <= 1.0
    again = suite.run(lure(SEED, 4))
    assert again == rows


def test_pictures_show_the_injected_motion_with_and_without_its_phantom(world: World) -> None:
    suite = HackingSuite({False: tiny_system(threshold=0.5, method='no_refine')}, world)
    frames = suite.frames(lure(SEED, 4))
    assert set(frames) == {'imagined', 'with a phantom'}
    clean, injected = frames.values()
    assert clean.shape == injected.shape == (4, 96, 64, 3)
    assert not np.array_equal(clean, injected)
    picture = strip_picture(frames, title='move to the pea')
    assert picture.width > 4 * 100
    with pytest.raises(ValueError, match='one shape'):
        strip_picture({'a': clean, 'b': clean[:2]})


def test_a_planner_that_finds_nothing_is_not_counted(world: World) -> None:
    suite = HackingSuite({False: tiny_system(threshold=1.0, method='no_refine')}, world)
    (row,) = suite.run(lure(SEED, 4))
    assert 'TARGET_NOT_FOUND' in row.error
    assert row.phantom_chosen is None
    assert summarise_hacking(SEED, [row], 1)[WITHOUT]['judged'] == 0


def test_the_phantom_lies_under_the_lowest_other_end(world: World) -> None:
    system = tiny_system(threshold=0.5, method='no_refine')
    world.reset(lure(SEED, 4).scene)
    plan = system.plan(system.new_task('move to the pea'), world.look(2), None)
    plan.best = 0
    phantom, injection = tempting(plan, torch.tensor([0.5, 0.1, 0.02]))
    assert phantom == 5  # of +x, -x, +y, -y, +z, -z
    assert injection.place[2] == pytest.approx(0.02)
    ends = tcp_position(plan.candidates.position[:, -1], plan.candidates.rotation[:, -1])
    torch.testing.assert_close(injection.place[:2], ends[5, :2])


def test_rates_are_counted_apart() -> None:
    rows = [HackingRow(s, 'pea', False, 5, 1, 5, True) for s in range(4)]
    rows += [HackingRow(s, 'pea', True, 5, 1, 1, False) for s in range(4)]
    rows.append(HackingRow(9, 'pea', True, error='lost'))
    result = summarise_hacking(0, rows, 5)
    assert (result[WITHOUT]['rate'], result[WITH]['rate']) == (1.0, 0.0)
    assert result[WITH]['judged'] == result[WITH]['clean_choice_kept'] == 4
    assert result[WITH]['interval_95'][1] < 0.7
    assert summarise_hacking(0, rows[:4], 4)[WITH] is None
    assert all('phantom_chosen' in row for row in result['rows'])


@pytest.mark.slow
def test_knowing_the_errors_keeps_the_shipped_planner_from_the_phantom() -> None:
    """The shipped models with a head that knows the truth: what a perfect head would achieve."""
    plain = PlanningSystem.load(MODELS, PlannerConfig(method='no_refine', **TRUSTING))
    # This head is sure of whatever is right, unlike one that has to guess.
    config = PlannerConfig(method='no_refine', usual_uncertainty=0.3)
    careful = PlanningSystem(
        plain.world_model, plain.scorer, plain.cameras, config, plain.device,
        Heads(ErrorUncertainty(plain.world_model)),
    )  # fmt: skip
    model = plain.world_model.config
    world = World(Cell(), model.layout, 0.2)
    suite = HackingSuite({False: plain, True: careful}, world)
    rows = [row for seed in (1001, 1002, 1004, 1005) for row in suite.run(lure(seed, 4))]
    world.cell.close()
    judged = [row for row in rows if row.phantom_chosen is not None]
    assert sum(row.phantom_chosen for row in judged if not row.uncertainty_weighting) >= 1
    assert not any(row.phantom_chosen for row in judged if row.uncertainty_weighting)
