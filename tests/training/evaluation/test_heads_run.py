# SPDX-License-Identifier: Apache-2.0
"""Heads are trained and judged in one run, from a robot's episodes of any layout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fakes.tiny import save_models, tiny_world_model
from tests.training.recordings import write_ctrl_world, write_lerobot
from vidplan_core.errors import ConfigError
from vidplan_core.heads.uncertainty import load_uncertainty
from vidplan_core.language.semantic import SemanticScorer
from vidplan_core.metrics.perceptual import FeatureDistance
from vidplan_training.cli import main
from vidplan_training.evaluation.heads import episodes_of, link_models, recipe_of
from vidplan_training.evaluation.settings import HeadsRecipe
from vidplan_training.evaluation.uncertainty import evaluate
from vidplan_training.recipes.heads.settings import UncertaintyHeadRecipe, ValueHeadRecipe


@pytest.mark.parametrize('source', ['ctrl-world', 'lerobot'])
def test_one_run_trains_judges_and_says_why_no_value_was_learned(
    tmp_path: Path, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    models, out = save_models(tmp_path / 'models', tiny_world_model()), tmp_path / 'out'
    (models / 'semantic').mkdir()
    monkeypatch.setattr(SemanticScorer, 'load', lambda *_: None)
    pixels = FeatureDistance('pixels', lambda images: [images])
    monkeypatch.setattr(evaluate, 'load_feature_distance', lambda *_: pixels)
    if source == 'lerobot':
        write_lerobot(tmp_path / 'data', 'v2.1', [61, 61])
    else:
        write_ctrl_world(tmp_path / 'data', [20], [20], shape=(4, 4, 8), videos=True)
    words = f'heads --source {source} --data {tmp_path}/data --models {models} --out {out}'
    words += f' --work {tmp_path}/work --sizes smoke --iterations 1 --batch 1 --pool 1 --checked 1'
    words += f' --clips 2 --json {tmp_path}/heads.json'
    assert main(words.split()) == 0
    found = json.loads((tmp_path / 'heads.json').read_text())
    assert '95' in json.dumps(found['uncertainty'])
    assert 'says what was asked and done' in found['value']['not_trained']
    assert load_uncertainty(out).config.frames == tiny_world_model().config.frames - 1
    assert (out / 'world_model').resolve() == (models / 'world_model').resolve()
    assert (tmp_path / 'work' / 'episodes').is_dir()


def test_episodes_that_nothing_can_judge_are_refused_before_a_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Latents alone can be trained on; judging needs what the cameras saw."""
    write_ctrl_world(tmp_path / 'data', [20], [20], shape=(4, 4, 8))
    models = save_models(tmp_path / 'models', tiny_world_model())
    (models / 'semantic').mkdir()
    words = f'heads --source ctrl-world --data {tmp_path}/data --models {models}'
    assert main([*words.split(), '--out', f'{tmp_path}/out', '--work', f'{tmp_path}/work']) == 2
    assert 'no held-out episode' in capsys.readouterr().err
    assert not list((tmp_path / 'work').glob('*.pt'))


def test_episodes_that_are_too_short_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_ctrl_world(tmp_path / 'data', [8], [8], shape=(4, 4, 8), videos=True)
    models = save_models(tmp_path / 'models', tiny_world_model())
    (models / 'semantic').mkdir()
    words = f'heads --source ctrl-world --data {tmp_path}/data --models {models}'
    assert main([*words.split(), '--out', f'{tmp_path}/out', '--work', f'{tmp_path}/work']) == 2
    assert 'the longest of 1 episodes has 8' in capsys.readouterr().err


def test_what_is_not_said_is_the_presets(tmp_path: Path) -> None:
    asked = HeadsRecipe(data=tmp_path, source='lerobot', sizes='full', batch=2, work=tmp_path)
    error = recipe_of(UncertaintyHeadRecipe, 'uncertainty-head', asked, 'uncertainty')
    value = recipe_of(ValueHeadRecipe, 'value-head', asked, 'value')
    assert error.widths == value.widths == (128, 256, 512)
    assert (error.batch, error.trainer.iterations, error.bin_count) == (2, 50000, 30)
    assert (value.source, value.shards) == ('lerobot', tmp_path / 'episodes')
    assert error.work != value.work
    assert episodes_of(HeadsRecipe(data=tmp_path))['shards'] is None  # the cell's stay


def test_models_are_needed_and_not_written_over(tmp_path: Path) -> None:
    for part in ('world_model', 'autoencoder', 'semantic'):
        with pytest.raises(ConfigError, match=f'has no {part}/'):
            link_models(tmp_path, tmp_path / 'out')
        (tmp_path / part).mkdir()
    link_models(tmp_path, tmp_path / 'out')
    (tmp_path / 'out' / 'world_model').unlink()
    (tmp_path / 'out' / 'world_model').mkdir()
    with pytest.raises(ConfigError, match='world_model is not that of'):
        link_models(tmp_path, tmp_path / 'out')
    with pytest.raises(ConfigError, match='choose another out'):
        link_models(tmp_path, tmp_path)
