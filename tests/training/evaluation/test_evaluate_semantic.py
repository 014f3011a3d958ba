# SPDX-License-Identifier: Apache-2.0
"""The semantic evaluation on scores that are known, and on two real scenes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from vidplan_sim.scene import random_scene
from vidplan_sim.staging import check_scene
from vidplan_training.cli import main
from vidplan_training.evaluation.semantic import (
    SemanticFindings,
    summarise_findings,
    unseen_instances,
)
from vidplan_training.recipes.semantic.check import SceneScores

MODELS = Path(__file__).resolve().parents[3] / 'models' / 'cell'
KEYS = ('top1_seen', 'top1_unseen', 'centroid_error', 'absent_rejected', 'false_rejection')


def scene(peak: float, absent: float, off_px: float) -> SceneScores:
    """Robot, gripper, two visible objects 40 px apart in two views, and a made-up phrase."""
    centre = np.array([[10.0, 9.0], [20.0, 9.0], [30.0, 9.0], [70.0, 9.0], [np.nan, np.nan]])
    centre = np.repeat(centre[:, None], 2, axis=1)
    return SceneScores(
        peak=np.array([[peak, 0.0]] * 4 + [[absent, 0.0]]),
        centroid=np.nan_to_num(centre) + np.array([off_px, 0.0]),
        area=np.array([[50, 50]] * 4 + [[0, 0]]),
        centre=centre,
    )


def test_known_scores_give_known_numbers() -> None:
    # Three of four scenes are right within 3 px; in the fourth every centroid is 30 px to the
    # right, so the left object's lands nearer to the other one.
    good = [scene(0.9, 0.1, 3.0)] * 3 + [scene(0.2, 0.8, 30.0)]
    seen, unseen = SemanticFindings(good, 4, 0.5), SemanticFindings(good[:3], 4, 0.5)
    result = summarise_findings(seen, unseen, 160)
    assert result['top1_seen'] == pytest.approx((3 * 4 + 2) / 16)
    assert result['top1_unseen'] == 1.0
    assert result['centroid_error'] == pytest.approx((3 * 3.0 + 30.0) / 4)
    assert result['centroid_error_of_width'] == pytest.approx(9.75 / 160, abs=1e-4)
    assert result['absent_rejected'] == 0.75
    assert result['false_rejection'] == 0.25
    for name in KEYS:
        low, high = result['interval_95'][name]
        assert low <= result[name] <= high
    assert result['interval_95']['top1_unseen'] == [1.0, 1.0]


def test_unseen_instances_lie_beyond_the_range_of_training() -> None:
    plain = random_scene(5, count=4)
    beyond = unseen_instances(plain)
    check_scene(beyond)
    assert beyond == unseen_instances(plain)
    for before, after in zip((*plain.objects, plain.bowl), (*beyond.objects, beyond.bowl)):
        assert (before.kind, before.x, before.y) == (after.kind, after.x, after.y)
        assert abs(after.scale - 1.0) >= 0.1 > abs(before.scale - 1.0)
        assert abs(after.hue_shift) >= 0.04 > abs(before.hue_shift)


def test_the_command_judges_rendered_scenes(tmp_path: Path) -> None:
    out = tmp_path / 'semantic.json'
    command = ['evaluate', 'semantic', '--models', str(MODELS), '--json', str(out)]
    assert main([*command, '--episodes', '2', '--seed', '40']) == 0
    result = json.loads(out.read_text())
    assert set(KEYS) <= set(result)
    assert set(KEYS) <= set(result['interval_95'])
    assert result['top1_seen'] > 0.5  # the shipped scorer
    assert main([*command, '--episodes', '1']) == 2
