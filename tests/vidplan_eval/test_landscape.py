# SPDX-License-Identifier: Apache-2.0
"""The landscape on a tiny system: what it holds, that the truth is true, and its picture."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tests.fakes.tiny_heads import tiny_heads
from tests.fakes.tiny_system import tiny_system
from vidplan.bringup.scene_choice import FIRST_EVALUATION_SEED
from vidplan.cli.main import make_parser
from vidplan.cli.measuring import landscape as command
from vidplan_core.geometry.camera_files import default_layout
from vidplan_eval.episode import make_episode
from vidplan_eval.landscape import Grid, Landscape, survey
from vidplan_eval.landscape_picture import GAP, LEFT, PANEL, draw_landscape
from vidplan_eval.world import World
from vidplan_sim.cell import Cell

SEED = 12


@pytest.fixture(scope='module')
def world():
    world = World(Cell(64, 128), default_layout().resized(32, 64), 0.2)
    yield world
    world.cell.close()


def test_grids_hold_every_motion_once() -> None:
    grid = Grid.around(0.1, 3, [0.0, -0.05])
    motions = grid.motions().numpy().reshape(*grid.shape, 3)
    np.testing.assert_allclose(motions[1, 0, 2], [-0.1, 0.1, -0.05], atol=1e-7)
    assert len(np.unique(motions.reshape(-1, 3), axis=0)) == 18
    with pytest.raises(ValueError, match='2 points'):
        Grid.around(0.1, 1)


def test_prediction_and_truth_of_every_motion(world: World) -> None:
    grid = Grid.around(0.1, 3)
    system, episode = tiny_system(threshold=0.5), make_episode(SEED)
    found = survey(system, world, episode, grid)
    assert set(found.predicted) == {'score', 'relevancy', 'distance_m'}
    assert all(np.isfinite(values).all() for values in found.predicted.values())
    truth = found.true_distance_m
    assert truth is not None
    # Every motion ends about where it should, inside the planner's box; the arm lags a little.
    world.reset(episode.scene)
    here = system.situation(system.new_task(episode.instruction), world.look(2))
    path = system.planner().motions.chunk(here.start, grid.motions()).position
    ends = world.cell.tcp + (path[:, -1] - path[:, 0]).numpy()
    expected = np.linalg.norm(ends - world.cell.truth()[found.target], axis=-1)
    np.testing.assert_allclose(truth.ravel(), expected, atol=0.05)
    assert np.corrcoef(truth.ravel(), expected)[0, 1] > 0.95
    summary = found.summary()
    assert -1.0 <= summary['spearman'] <= 1.0
    assert summary['regret_m'] >= 0.0


def test_heads_add_their_panels(world: World) -> None:
    system = tiny_system(threshold=0.5, heads=tiny_heads())
    found = survey(system, world, make_episode(SEED), Grid.around(0.1, 2), truth=False)
    assert {'value', 'uncertainty'} <= set(found.predicted)
    assert found.summary() == {}
    picture = draw_landscape(found)
    assert picture.width == LEFT + 5 * (PANEL + GAP)


def test_the_best_is_bright_and_ringed(tmp_path) -> None:
    score = np.zeros((1, 3, 3))
    score[0, 2, 0] = 1.0  # x ahead, y to the right
    found = Landscape(
        Grid.around(0.1, 3), {'score': score}, 1.0 - score, 'move to the pea', 'pea', np.zeros(3)
    )
    summary = found.summary()
    assert summary['spearman'] == pytest.approx(1.0)
    assert summary['regret_m'] == 0.0
    np.testing.assert_allclose(summary['predicted_best_m'], [0.1, -0.1, 0.0], atol=1e-7)
    panel = np.asarray(draw_landscape(found))[-PANEL - GAP :][:PANEL, LEFT : LEFT + PANEL]
    assert panel[8, -8].sum() > 500 > panel[8, 8].sum()  # top right is ahead and to the right


def test_the_command_writes_both_files(tmp_path, monkeypatch, world: World) -> None:
    monkeypatch.setattr(command, 'load_system', lambda args: tiny_system(threshold=0.5))
    monkeypatch.setattr(command, 'make_world', lambda system: world)
    words = ['landscape', '--seed', str(SEED), '--points', '2', '--heights', '0',
             '--png', str(tmp_path / 'l.png'), '--json', str(tmp_path / 'l.json')]  # fmt: skip
    assert command.run(make_parser(words).parse_args(words)) == 0
    assert Image.open(tmp_path / 'l.png').size[1] > PANEL
    assert 'spearman' in (tmp_path / 'l.json').read_text()


def test_an_instruction_gets_a_tuning_scene_that_shows_its_object() -> None:
    words = ['landscape', 'move to the lemon']
    episode = command._episode(make_parser(words).parse_args(words))
    assert episode.kind == 'lemon' in {placement.kind for placement in episode.scene.objects}
    assert command.SEED <= episode.seed < FIRST_EVALUATION_SEED
