# SPDX-License-Identifier: Apache-2.0
"""Faults of cameras are measured on looks that a test makes up."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from vidplan_core.data.plausibility import PlausibilityConfig, ViewMonitor
from vidplan_eval.suites.views import measure as measured
from vidplan_eval.suites.views.faults import FAULTS
from vidplan_eval.suites.views.looks import PERIOD_S, Look

SPEED_M_S, REST_S = 0.1, 0.2


def looks(count: int = 60, speed_m_s: float = SPEED_M_S) -> list[Look]:
    """An arm that moves evenly in front of three smooth pictures, which a square crosses."""
    random = np.random.default_rng(0)
    still = {
        view: np.kron(random.integers(60, 200, (6, 10, 3)), np.ones((16, 16, 1))).astype(np.uint8)
        for view in ('left', 'right', 'wrist')
    }
    made = []
    for number in range(count):
        pictures = {view: picture.copy() for view, picture in still.items()}
        for picture in pictures.values():
            picture[20:60, number : number + 24] = 250
        position = np.array([0.4 + speed_m_s * PERIOD_S * number, 0.0, 0.3])
        made.append(Look(PERIOD_S * number, pictures, position, np.eye(3), REST_S))
    return made


@pytest.mark.parametrize('name', FAULTS)
def test_every_fault_brings_the_arm_to_rest(name: str) -> None:
    seen, begin = looks(), 20
    monitor = ViewMonitor(moving=('wrist',))
    assert not any(measured.doubted(monitor, look, look.pictures) for look in seen[:begin])
    rest_s = measured.seconds_to_rest(monitor, seen, FAULTS[name], begin, 0)
    way_m = PlausibilityConfig().frozen_after_m
    slow = 'frozen' in name or name == 'old_pictures'
    expected_s = (way_m / SPEED_M_S + PERIOD_S if slow else 0.0) + measured.REACTION_S + REST_S
    assert rest_s == pytest.approx(expected_s, abs=PERIOD_S + 1e-6)
    assert measured.seconds_to_rest(monitor, seen, None, begin, 0) is None


def test_faults_begin_where_the_arm_moves_or_nowhere() -> None:
    assert measured.beginning(looks(), 1) is not None
    assert measured.beginning(looks(speed_m_s=0.0), 1) is None


def test_a_run_goes_on_where_its_file_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched: list[int] = []

    def watch(cell: object, seed: int) -> list[Look]:
        watched.append(seed)
        return looks(speed_m_s=SPEED_M_S * (seed != 8))

    monkeypatch.setattr(measured, 'watch_episode', watch)
    monkeypatch.setattr(measured, 'Cell', lambda: SimpleNamespace(close=lambda: None))
    path, config = tmp_path / 'views.json', PlausibilityConfig()
    measured.measure(config, 7, 1, path)
    result = measured.measure(config, 7, 3, path)
    assert watched == [7, 8, 9]
    assert result == json.loads(path.read_text())
    assert (result['episodes'], result['false_alarms']['count']) == (3, 0)
    assert all(row['in_time']['count'] == row['in_time']['of'] == 2
               for row in result['faults'].values())  # nothing to stop in episode 8
    with pytest.raises(ValueError, match='other settings'):
        measured.measure(config, 8, 1, path)
