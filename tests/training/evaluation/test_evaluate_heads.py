# SPDX-License-Identifier: Apache-2.0
"""Evaluations of heads give every promised number, from held-out episodes, with intervals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fakes.tiny import CHANNELS, save_models, tiny_world_model
from tests.fakes.tiny_scorer import TEXT, TinyScorer
from vidplan_core.heads.anomaly.hallucination import HallucinationHead
from vidplan_core.heads.anomaly.novelty import Novelty, NoveltyConfig, save_novelty
from vidplan_core.heads.distribution.estimate import ErrorEstimate
from vidplan_core.heads.network import HeadConfig, save_head
from vidplan_core.heads.uncertainty import UncertaintyHead
from vidplan_core.heads.value import ValueHead
from vidplan_core.metrics.perceptual import FeatureDistance
from vidplan_training.cli import main
from vidplan_training.evaluation.uncertainty import evaluate as evaluate_uncertainty
from vidplan_training.evaluation.uncertainty.localisation import (
    error_map,
    scene_entropy,
    suspicious,
)
from vidplan_training.evaluation.value import evaluate as evaluate_value
from vidplan_training.recipes.heads.planted import overlap

FRAMES, MOVING = 20, 14
KINDS = ['carrot', 'mug', 'bowl']
UNCERTAINTY_KEYS = (
    'threshold_ece', 'top_label_ece', 'nll', 'nll_marginal', 'coverage_50', 'coverage_80',
    'coverage_90', 'spearman_latent_error', 'spearman_deep_feature', 'ause', 'ause_random',
    'auroc_unseen', 'auroc_missing_view', 'auroc_swapped_views', 'edit_iou',
)  # fmt: skip
VALUE_KEYS = (
    'ece', 'value_order_correlation', 'failure_below_success', 'best_of_6_agreement',
)  # fmt: skip
SIZES = {'channels': CHANNELS, 'rows': 12, 'columns': 8, 'widths': (8, 16, 16), 'embedding': 16}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """One shard of evaluation seeds; the tool comes over the carrot in the tenth frame.

    Two frames later it has lifted it, and some later it rests.
    """
    path = np.linspace([0.4, -0.1, 0.25], [0.6, 0.1, 0.25], MOVING)
    path = np.concatenate([path, np.tile(path[-1], (FRAMES - MOVING, 1))])
    rng = np.random.default_rng(0)
    folder = tmp_path / 'data' / 'shard_40000'
    folder.mkdir(parents=True)
    objects = np.full((4, FRAMES, 3, 3), np.nan)
    objects[:, :, 0], objects[:, :, 2] = [0.56, 0.06, 0.1], [0.4, -0.1, 0.03]
    objects[:, 11:, 0, 2] = 0.145
    arrays = {
        'images': rng.integers(0, 255, (4, FRAMES, 3, 32, 64, 3)).astype(np.uint8),
        'position': np.tile(path, (4, 1, 1)),
        'quaternion': np.tile(np.float32([1, 0, 0, 0]), (4, FRAMES, 1)),
        'closedness': np.zeros((4, FRAMES)),
        'objects': objects,
        'aim': np.zeros((4, FRAMES), np.int16),
    }
    for name, array in arrays.items():
        np.save(folder / f'{name}.npy', array)
    meta = {'seeds': [1_000_000 + k for k in range(4)], 'kinds': KINDS}
    (folder / 'meta.json').write_text(json.dumps(meta))
    return tmp_path / 'data'


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A tiny world model and heads of random weights."""
    folder, model = tmp_path / 'models', tiny_world_model()
    save_models(folder, model)
    (folder / 'semantic').mkdir()
    doubt = UncertaintyHead(HeadConfig(**SIZES, bins='power'))
    torch.nn.init.normal_(doubt.out.weight)
    save_head(folder / 'uncertainty', doubt)
    value = HeadConfig(**SIZES, text=3 + 2 * TEXT, maps=2, bin_count=20, bin_high=1.0)
    save_head(folder / 'value', ValueHead(value))
    memory = Novelty(NoveltyConfig(CHANNELS, 3, 5, spread=(10.0, 10.0, 10.0)))
    save_novelty(folder / 'novelty', memory)
    return folder


def test_an_uncertainty_head_is_judged_by_every_number(
    data: Path, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = FeatureDistance('pixels', lambda images: [images])
    monkeypatch.setattr(evaluate_uncertainty, 'load_feature_distance', lambda *_: pixels)
    monkeypatch.setattr('vidplan_training.evaluation.uncertainty.evidence.ELEMENTS', 300)
    found = tmp_path / 'found.json'
    command = ['evaluate', 'uncertainty', '--data', str(data), '--models', str(models)]
    command += ['--clips', '5', '--unseen-objects', str(data), '--json', str(found)]
    assert main([*command, '--pictures', str(tmp_path / 'pictures')]) == 0
    result = json.loads(found.read_text())
    for name in UNCERTAINTY_KEYS:
        low, high = result['interval_95'][name]
        assert low <= result[name] <= high, name
    assert result['nll_gain'] == pytest.approx(result['nll_marginal'] - result['nll'], abs=1e-4)
    for name in ('auroc_unseen', 'auroc_objects_entropy'):
        assert result[name] == 0.5  # the same scenes on both sides
    assert set(result['ways']) == set(evaluate_uncertainty.MODES)
    counted = {kind: found and found['clips'] for kind, found in result['moments'].items()}
    assert counted['contact'] is None  # nothing closes
    assert (counted['still'] or 0) + (counted['free motion'] or 0) == 5
    assert 0.0 <= result['moments']['free motion']['threshold_ece'] <= 1.0
    names = {path.name for path in (tmp_path / 'pictures').iterdir()}
    assert names == {'reliability.png', 'sparsification.png', 'heat_maps.png'}


def test_a_hallucination_head_is_judged_beside_it(
    data: Path, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finder = HallucinationHead(HeadConfig(**SIZES))
    torch.nn.init.constant_(finder.out.bias, 9.0)
    save_head(models / 'hallucination', finder)
    pixels = FeatureDistance('pixels', lambda images: [images])
    monkeypatch.setattr(evaluate_uncertainty, 'load_feature_distance', lambda *_: pixels)
    monkeypatch.setattr('vidplan_training.evaluation.uncertainty.evidence.ELEMENTS', 300)
    found = tmp_path / 'found.json'
    command = ['evaluate', 'uncertainty', '--data', str(data), '--models', str(models)]
    command += ['--clips', '4', '--json', str(found), '--pictures', str(tmp_path / 'pictures')]
    assert main(command) == 0
    result = json.loads(found.read_text())
    assert result['called_wrong'] == 1.0  # it calls everything wrong
    assert result['auroc_planted'] == result['auroc_moved'] == 0.5
    assert 0.0 < result['edit_iou'] < 0.6  # a patch is a part of everything


def test_a_value_head_is_judged_by_every_number(
    data: Path, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate_value, 'SemanticScorer', TinyScorer)
    found = tmp_path / 'found.json'
    command = ['evaluate', 'value', '--data', str(data), '--models', str(models)]
    assert main([*command, '--scenes', '2', '--draws', '6', '--json', str(found)]) == 0
    result = json.loads(found.read_text())
    for name in VALUE_KEYS:
        low, high = result['interval_95'][name]
        assert low <= result[name] <= high, name
    assert result['best_of_6_regret_m'] >= 0.0
    for verb in ('reach', 'pick'):
        assert -1.0 <= result[f'value_order_{verb}'] <= 1.0
    assert result['value_order_place'] is None  # nothing ever lay in the bowl
    assert result['value_order_by_chance'] is None  # and all that was reached was aimed at
    assert sum(result['reliability']['samples']) == 4 * 6 * 4


def test_the_value_order_is_a_rank_correlation() -> None:
    assert evaluate_value.rank_correlation(np.array([0.1, 0.2, 0.7, 0.9])) == pytest.approx(1.0)
    assert evaluate_value.rank_correlation(np.array([0.9, 0.5, 0.1])) == pytest.approx(-1.0)
    assert np.isnan(evaluate_value.rank_correlation(np.ones(4)))


def test_planted_errors_are_found_where_they_are() -> None:
    expected = torch.full((2, 4, CHANNELS, 12, 8), 0.1)
    expected[:, :, :, 2:5, 3:6] = 0.9
    estimate = ErrorEstimate(expected / 10, expected)
    wanted = torch.zeros(2, 12, 8, dtype=torch.bool)
    wanted[:, 2:5, 3:6] = True
    assert overlap(suspicious(error_map(estimate)), wanted).tolist() == [1.0, 1.0]
    shifted = wanted.roll(1, dims=1)
    assert overlap(suspicious(error_map(estimate)), shifted)[0] == pytest.approx(6 / 12)
    quiet = ErrorEstimate(0.0 * expected + 0.01, expected)
    assert bool((scene_entropy(estimate) > scene_entropy(quiet)).all())
