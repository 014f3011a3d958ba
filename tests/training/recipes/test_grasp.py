# SPDX-License-Identifier: Apache-2.0
"""Recorded looks, and what learns from them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fakes.tiny_scorer import TinyScorer
from tests.training.recipes.scenes import SCENES, detector_settings
from vidplan_core.errors import ModelError
from vidplan_core.geometry.fk import hand_yaw
from vidplan_core.heads.detectors.grasp.network import load_grasp
from vidplan_sim.expert.looking import lying_heights, view_of
from vidplan_training.collect.contact.episode import KIND_NAMES
from vidplan_training.collect.grasps import LOOKS, GraspLookRecorder, grasp_files
from vidplan_training.evaluation.contact.grasp import evaluate_grasp
from vidplan_training.evaluation.settings import EvaluateGrasp
from vidplan_training.recipes.grasp import recipe
from vidplan_training.recipes.grasp.check import _turned
from vidplan_training.recipes.grasp.looked import things_in
from vidplan_training.recipes.grasp.settings import GraspRecipe
from vidplan_training.recipes.recorded_scenes import poses_of

FIRST = 700_000


@pytest.fixture(scope='module')
def looks() -> dict[str, np.ndarray]:
    found = GraspLookRecorder().record(FIRST)
    assert found is not None
    return found


def test_every_thing_has_a_grasp_near_to_it_in_every_look(looks: dict[str, np.ndarray]) -> None:
    kinds = things_in(looks)
    assert looks['grasps'].shape == (LOOKS, len(KIND_NAMES), 3)
    assert KIND_NAMES.index('bowl') not in kinds
    beside = (looks['grasps'] - looks['objects'])[:, kinds, :2]
    assert np.abs(beside).max() < 1e-6
    lengths = np.linalg.norm(looks['closings'][:, kinds], axis=-1)
    assert set(np.round(lengths, 3).ravel().tolist()) <= {0.0, 1.0}


def test_yaws_of_the_cell_are_headings_of_the_hand() -> None:
    """What closings are about is what `hand_yaw` says of the flange, but for half turns."""
    recorder = GraspLookRecorder()
    found = recorder.record(FIRST)
    assert found is not None
    kind = KIND_NAMES[things_in(found)[0]]
    yaw = view_of(recorder.cell, kind, lying_heights(recorder.cell)).yaw
    heading = float(hand_yaw(poses_of(found).rotation[-1, 0]))
    assert np.cos(2.0 * (heading - yaw)) == pytest.approx(1.0, abs=1e-3)


def made(looks: dict[str, np.ndarray], folder: Path) -> GraspRecipe:
    """A recipe with a folder of the same scene under several seeds, one of them empty."""
    settings = detector_settings(grasp_files(folder / 'data'), looks, FIRST)
    return GraspRecipe(out=folder / 'grasp', **settings)


def test_the_recipe_trains_and_measures(
    looks: dict[str, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipe, 'SemanticScorer', TinyScorer)
    monkeypatch.setattr('vidplan_training.recipes.grasp.looked.NEAR_M', 9.0)
    monkeypatch.setattr('vidplan_training.recipes.grasp.looked.CERTAIN', 0.0)
    settings = made(looks, tmp_path)
    assert recipe.run(settings) == 0
    assert load_grasp(tmp_path).config.features == 8
    with pytest.raises(ModelError, match='no grasp'):
        evaluate_grasp(EvaluateGrasp(models=tmp_path / 'models'))
    found = json.loads((tmp_path / 'grasp' / 'metrics.json').read_text())
    assert found['things'] == LOOKS * len(things_in(looks))
    assert found['all']['beside_m'] > 0.0
    assert len(list(settings.data.glob('*.pt'))) == SCENES - 1  # looked at once


def test_no_recorded_scene_is_an_error(tmp_path: Path) -> None:
    reader = type('Reader', (), {'read': lambda *_: None})()
    with pytest.raises(ValueError, match='nothing was recorded'):
        recipe.read_looks(reader, grasp_files(tmp_path), [0])


@pytest.mark.parametrize(
    ('found', 'true', 'angle'),
    [
        ((1.0, 0.0), (1.0, 0.0), 0.0),
        ((-1.0, 0.0), (1.0, 0.0), np.pi / 2),
        ((0.0, 0.5), (1.0, 0.0), np.pi / 4),
        ((1.0, 0.0), (0.0, 0.0), np.nan),
    ],
)
def test_turns_are_compared_as_lines(
    found: tuple[float, float], true: tuple[float, float], angle: float
) -> None:
    compared = _turned(torch.tensor([found]), torch.tensor([true]))
    np.testing.assert_allclose(compared, [angle], atol=1e-6)
