# SPDX-License-Identifier: Apache-2.0
"""What surprises is counted in rows that a test makes up, and accidents happen in branches."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from vidplan_core.data.history import History
from vidplan_core.geometry.camera_files import default_layout
from vidplan_core.heads.anomaly.unexpected import SurpriseConfig
from vidplan_eval.suites.views import outcomes as measured
from vidplan_eval.suites.views.cycles import watch_cycles
from vidplan_eval.world import World
from vidplan_sim.cell import Cell


def look(surprise: float, part: float = 1.0, novelty: float = 0.0) -> dict[str, float]:
    return {'surprise': surprise, 'part_surprise': part, 'novelty': novelty, 'uncertainty': 0.5}


def row(seed: int) -> dict[str, Any]:
    """Two true looks, in the second of three episodes a wrong one, and a fault that is found."""
    fault = {'clean': look(1.0), 'faulty': [look(1.0, 6.0, novelty=2.0), look(4.0 - seed % 2)]}
    clean = [look(0.5), look(3.0 * (seed % 2))]
    return {'seed': seed, 'clean': clean, 'moments': {'moved': fault}}


def test_episodes_looks_and_faults_are_counted() -> None:
    found = measured.result_of([row(k) for k in range(3)], {}, SurpriseConfig(max_surprise=2.0))
    counts = {name: found[name]['count'] for name in ('false_alarms', 'looks_stopped')}
    assert counts == {'false_alarms': 1, 'looks_stopped': 1}
    fault = found['faults']['moved']
    assert (fault['stopped']['count'], fault['stopped_at_once']['count']) == (3, 0)
    assert fault['warned']['count'] == 3
    assert fault['auroc']['novelty'][0] == 1.0
    assert fault['auroc']['surprise'][0] == 0.5


def test_a_run_goes_on_where_its_file_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []

    def judged(seed: int) -> dict[str, Any]:
        made.append(seed)
        return row(seed)

    bench = SimpleNamespace(row=judged)
    monkeypatch.setattr(measured.OutcomeBench, 'of', lambda system: bench)
    system: Any = SimpleNamespace(config=SimpleNamespace(surprise=SurpriseConfig()))
    path = tmp_path / 'outcomes.json'
    measured.measure(system, 'm', 7, 1, path)
    result = measured.measure(system, 'm', 7, 3, path)
    assert made == [7, 8, 9]
    assert result == json.loads(path.read_text())
    with pytest.raises(ValueError, match='other settings'):
        measured.measure(system, 'm', 8, 1, path)


def test_accidents_change_what_comes_next_and_not_the_episode() -> None:
    cell, branches = Cell(), Cell()
    world = World(cell, default_layout(), 0.2)
    cycles = watch_cycles(world, History(2, 0.2), branches, 1)
    first, second = next(cycles), next(cycles)
    assert set(first.after) == {'thing_moved', 'thing_taken'}
    true = second.history[-1]
    for after in first.after.values():
        seen = after.history[-1]
        assert seen.stamp_s == pytest.approx(true.stamp_s)
        np.testing.assert_allclose(seen.position, true.position, atol=2e-3)
        assert (seen.image != true.image).any()
    cell.close()
    branches.close()
