# SPDX-License-Identifier: Apache-2.0
"""Recorded endings, and what learns from them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fakes.tiny_scorer import TinyScorer
from tests.training.recipes.scenes import SCENES, detector_settings
from vidplan_core.errors import ModelError
from vidplan_core.heads.detectors.success.network import (
    SuccessConfig,
    SuccessDetector,
    load_success,
)
from vidplan_training.collect.contact.episode import KIND_NAMES
from vidplan_training.collect.endings import GRASPED, UNKNOWN, VERBS, EndingRecorder, ending_files
from vidplan_training.evaluation.contact.success import evaluate_success
from vidplan_training.evaluation.settings import EvaluateSuccess
from vidplan_training.recipes.success import recipe
from vidplan_training.recipes.success.check import Judgements, calibration_of, measure
from vidplan_training.recipes.success.settings import SuccessRecipe

FIRST = 650_000


@pytest.fixture(scope='module')
def ending() -> dict[str, np.ndarray]:
    found = EndingRecorder().record(FIRST)
    assert found is not None
    return found


def test_an_ending_is_taken_and_put_down(ending: dict[str, np.ndarray]) -> None:
    count, thing = len(ending['images']), int(ending['thing'])
    assert ending['successes'].shape == (count, len(VERBS), len(KIND_NAMES))
    picked, placed = ending['successes'][:, :, thing].T
    assert (picked[0], picked[GRASPED], picked[-1]) == (0, 1, 0)
    assert (placed[GRASPED], placed[-1]) == (0, 1)
    assert (ending['successes'][:, :, KIND_NAMES.index('bowl')] == UNKNOWN).all()


def test_what_is_there_is_not_recorded_again(tmp_path: Path) -> None:
    endings = ending_files(tmp_path)
    endings.write(3, {})
    endings.record([3], workers=1)
    assert endings.read(3) is None


def made(ending: dict[str, np.ndarray], folder: Path) -> SuccessRecipe:
    """A recipe with a folder of the same scene under several seeds, one of them empty."""
    settings = detector_settings(ending_files(folder / 'endings'), ending, FIRST)
    return SuccessRecipe(out=folder / 'success', **settings)


def test_the_recipe_trains_calibrates_and_measures(
    ending: dict[str, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipe, 'SemanticScorer', TinyScorer)
    settings = made(ending, tmp_path)
    assert recipe.run(settings) == 0
    detector = load_success(tmp_path)
    assert detector.config.features == 8
    assert detector.config.scale != 1.0
    with pytest.raises(ModelError, match='no success'):
        evaluate_success(EvaluateSuccess(models=tmp_path / 'models'))
    found = json.loads((tmp_path / 'success' / 'metrics.json').read_text())
    assert set(found) == set(VERBS)
    assert found['place']['ends'] == 1
    assert len(list(settings.data.glob('*.pt'))) == SCENES - 1  # looked at once


def test_no_recorded_scene_is_an_error(tmp_path: Path) -> None:
    ending_files(tmp_path).write(0, {})
    reader = type('Reader', (), {'read': lambda *_: None})()
    with pytest.raises(ValueError, match='no ending'):
        recipe.read_all(reader, ending_files(tmp_path), [0])


def judgements(logits: np.ndarray, true: np.ndarray) -> dict[str, Judgements]:
    scene = np.arange(len(true)) // 4
    return {'place': Judgements(logits, true, scene, scene % 2 == 0)}


def test_calibration_finds_the_scale_of_doubled_logits() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(scale=2.0, size=4000)
    true = rng.random(4000) < 1.0 / (1.0 + np.exp(-logits))
    scale, shift = calibration_of(judgements(2.0 * logits + 1.0, true))
    assert scale == pytest.approx(0.5, abs=0.05)
    assert shift == pytest.approx(-0.5, abs=0.1)


@pytest.mark.parametrize(('flip', 'right', 'ece'), [(False, 1.0, 0.0), (True, 0.0, 1.0)])
def test_certain_judgements_are_right_or_wrong(flip: bool, right: float, ece: float) -> None:
    true = np.arange(40) % 2 == 0
    logits = np.where(true != flip, 50.0, -50.0)
    detector = SuccessDetector(SuccessConfig(widths=(8, 8, 8), features=8))
    found = measure(detector, judgements(logits, true))['place']
    assert isinstance(found, dict)
    assert found['right'] == right
    assert found['ece'] == pytest.approx(ece, abs=1e-6)
    assert found['right_at_ends'][0] == right
    assert torch.is_tensor(detector.judge[0].weight)
