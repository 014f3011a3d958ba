# SPDX-License-Identifier: Apache-2.0
"""The suite `refinement` on the real classes: states in motion, branches, means of states."""

from __future__ import annotations

import pytest

from tests.fakes.tiny_system import tiny_system
from vidplan_core.geometry.camera_files import default_layout
from vidplan_eval.suites import refinement
from vidplan_eval.suites.pick_place.scenes import pick_place_episode
from vidplan_eval.suites.refinement import RefinementRow, RefinementSuite, summarise_refinement
from vidplan_eval.world import World
from vidplan_sim.cell import Cell

SEED = 800_003


@pytest.fixture(scope='module')
def suite():
    world, branches = World(Cell(64, 128), default_layout().resized(32, 64), 0.2), Cell(64, 128)
    yield RefinementSuite(tiny_system(threshold=0.5), world, branches)
    world.cell.close()
    branches.close()


def test_a_state_is_refined_and_carried_out(suite, monkeypatch):
    monkeypatch.setattr(refinement, 'DECISIONS', (2, 3))
    rows = suite.run(pick_place_episode('carrot', SEED, 1))
    assert [(row.steps, row.uncertainty_weighting) for row in rows] == [
        (steps, False) for steps in refinement.STEPS
    ]
    for row in rows:
        assert (row.error, row.decisions) == ('', 2)
        assert row.predicted >= 0.0
        assert row.gap == pytest.approx(row.predicted - row.realised)
        assert row.frames_saved == round(row.frames_saved)
    assert rows[-1].predicted >= rows[0].predicted
    assert any(row.realised != 0.0 for row in rows)


def test_a_broken_state_is_named_in_its_rows(suite, monkeypatch):
    monkeypatch.setattr(suite, '_way', lambda *_: 1 / 0)
    rows = suite.run(pick_place_episode('carrot', SEED, 1))
    assert len(rows) == len(refinement.STEPS)
    assert all('ZeroDivisionError' in row.error and row.gap is None for row in rows)


def test_the_result_has_means_of_states_with_intervals():
    rows = [
        RefinementRow(seed, 'pea', 3, weighting, 3, gain, gain - gap, gap, 1.0)
        for weighting, gap in ((True, 0.1), (False, 0.4))
        for seed, gain in enumerate((0.5, 0.7))
    ]
    rows.append(RefinementRow(9, 'pea', 3, True, 3, error='nothing to choose'))
    found = summarise_refinement({'suite': 'refinement'}, rows, 50)
    point = found['curves']['with_uncertainty'][1]
    assert (point['step'], point['states'], found['episodes']) == (3, 2, 3)
    assert point['predicted'] == pytest.approx(0.6)
    assert point['gap'] == pytest.approx(0.1)
    low, high = point['predicted_interval_95']
    assert 0.5 <= low <= 0.6 <= high <= 0.7
    assert found['curves']['without_uncertainty'][1]['gap'] == pytest.approx(0.4)
    assert found['curves']['with_uncertainty'][0]['states'] == 0
