# SPDX-License-Identifier: Apache-2.0
"""Wrong joint states and stops at random moments, a few of each."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from vidplan.cli.main import main
from vidplan_core.control.adapter import ActionAdapter
from vidplan_core.control.commands import (
    NO_PLAN,
    AdapterOutput,
    TrajectoryCommand,
    TrajectoryPoint,
)
from vidplan_eval.suites.adapter import stops


def test_every_kind_is_named_and_moves_nothing(tmp_path: Path) -> None:
    path = tmp_path / 'stops.json'
    assert main(['bench', 'stops', '--tries', '6', '--seed', '3', '--json', str(path)]) == 0
    result = json.loads(path.read_text())
    assert result['resting']['away_max_rad'] == 0.0
    assert result['moving']['away_max_rad'] < 5e-3
    assert len(result['moving']['reasons']) == 6
    assert 0 < result['stops']['p50_s'] <= result['stops']['max_s'] < 0.5


class Chasing(ActionAdapter):
    """Sends the arm to where it is said to be."""

    def on_joint_state(self, stamp_s: float, names: object, q: np.ndarray, *_: object) -> None:
        super().on_joint_state(stamp_s, names, q, *_)
        self._said = q

    def poll(self, now_s: float) -> AdapterOutput:
        there = TrajectoryPoint(1.0, self._said, np.zeros(7), np.zeros(7))
        return AdapterOutput(TrajectoryCommand(NO_PLAN, now_s, self._robot.joint_names, (there,)))


def test_an_adapter_that_follows_measurements_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stops, 'ActionAdapter', Chasing)
    assert stops.try_stops(1, 0)['resting']['away_max_rad'] > 0.1
