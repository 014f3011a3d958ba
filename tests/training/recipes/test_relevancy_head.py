# SPDX-License-Identifier: Apache-2.0
"""What the tower says of pictures, distilled into a head that reads latents."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fakes.tiny_scorer import TinyScorer
from tests.training.recipes.scenes import SCENES, detector_settings
from vidplan_core.data.action import PoseChunk
from vidplan_core.heads.detectors.latent_relevancy import load_latent_relevancy
from vidplan_training.collect.grasps import LOOKS, grasp_files
from vidplan_training.recipes.relevancy import recipe
from vidplan_training.recipes.relevancy.looked import REACH_M, wandering
from vidplan_training.recipes.relevancy.settings import RelevancyHeadRecipe

FIRST = 700_000
KINDS = 15


def made_up() -> dict[str, np.ndarray]:
    """A recorded scene with two things in it."""
    rng = np.random.default_rng(0)
    objects = np.full((LOOKS, KINDS, 3), np.nan, np.float32)
    objects[:, :2] = (0.5, 0.1, 0.02)
    return {
        'images': rng.integers(0, 255, (LOOKS, 3, 32, 64, 3), dtype=np.uint8),
        'position': np.tile(np.float32([0.5, 0.0, 0.4]), (LOOKS, 1)),
        'quaternion': np.tile(np.float32([1.0, 0.0, 0.0, 0.0]), (LOOKS, 1)),
        'closedness': np.zeros(LOOKS, np.float32),
        'objects': objects,
    }  # fmt: skip


def test_the_recipe_distils_and_measures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe, 'SemanticScorer', TinyScorer)
    settings = detector_settings(grasp_files(tmp_path / 'data'), made_up(), FIRST)
    del settings['features']
    found = RelevancyHeadRecipe(out=tmp_path / 'relevancy', width=8, blocks=1, **settings)
    assert recipe.run(found) == 0
    assert load_latent_relevancy(tmp_path).config.width == 8
    measured = json.loads((tmp_path / 'relevancy' / 'metrics.json').read_text())
    held_out = SCENES // recipe.OF
    assert measured['scenes'] == held_out
    assert measured['things'] == held_out * LOOKS * 2 * 2  # two things, seen and imagined
    assert set(measured['imagined']) >= {'found_alike', 'found_alike_95'}
    assert 'Agreement with the tower' in (tmp_path / 'relevancy' / 'README.md').read_text()


def test_motions_that_are_imagined_start_at_the_hand() -> None:
    poses = PoseChunk(torch.rand(4, 1, 3), torch.eye(3).expand(4, 1, 3, 3), torch.zeros(4, 1))
    chunk = wandering(poses, 5, torch.Generator().manual_seed(0))
    assert torch.equal(chunk.position[:, 0], poses.position[:, 0])
    way = (chunk.position[:, -1] - poses.position[:, 0]).abs()
    assert 0.0 < float(way.max()) <= REACH_M
    assert chunk.rotation.shape == (4, 5, 3, 3)
