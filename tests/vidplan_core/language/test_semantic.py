# SPDX-License-Identifier: Apache-2.0
"""The scorer on a tiny random model: loading, shapes, gradients, and named refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from vidplan_core.errors import ConfigError, InstructionError, ModelError, ObservationError
from vidplan_core.language.open_clip_model import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    open_clip_module,
    save_open_clip,
)
from vidplan_core.language.relevancy import Centring
from vidplan_core.language.semantic import SemanticScorer, negatives_for
from vidplan_core.language.semantic_config import SemanticConfig, read_config, write_config

TINY = {
    'model_cfg': {
        'embed_dim': 16,
        'vision_cfg': {'image_size': [24, 40], 'patch_size': 8, 'layers': 2, 'width': 32,
                       'head_width': 16},
        'text_cfg': {'context_length': 12, 'vocab_size': 49408, 'width': 16, 'heads': 2,
                     'layers': 1},
    },
    'preprocess_cfg': {'mean': [0.5] * 3, 'std': [0.25] * 3},
}  # fmt: skip


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp('semantic')
    torch.manual_seed(0)
    save_open_clip(open_clip_module().CLIP(**TINY['model_cfg']), TINY, path)
    write_config(SemanticConfig('', relevancy_scale=None, precision='fp32'), path)
    return path


@pytest.fixture(scope='module')
def scorer(folder: Path) -> SemanticScorer:
    return SemanticScorer.load(folder)


def views(count: int = 2, height: int = 24, width: int = 40) -> torch.Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(1))


def test_maps_are_relevancies_of_patches(scorer: SemanticScorer) -> None:
    maps = scorer.relevancy(views(), 'red apple')
    assert maps.shape == (2, 3, 5)
    assert 0.0 < maps.min() <= maps.max() < 1.0


def test_several_phrases_share_one_look(scorer: SemanticScorer) -> None:
    images = views()
    both = scorer.compare(scorer.dense(images), ['mug', 'robot gripper'])
    assert torch.allclose(both[:, 1], scorer.relevancy(images, 'robot gripper'), atol=1e-5)


def test_a_view_scores_the_same_in_any_batch(scorer: SemanticScorer) -> None:
    images = views(3)
    single = scorer.relevancy(images[1:2], 'mug')
    assert torch.allclose(scorer.relevancy(images, 'mug')[1:2], single, atol=1e-5)


def test_a_callers_precision_does_not_blur_the_maps(scorer: SemanticScorer) -> None:
    images = views()
    expected = scorer.relevancy(images, 'a phrase of its own')
    scorer._text.clear()
    with torch.autocast('cpu', torch.bfloat16):
        found = scorer.relevancy(images, 'a phrase of its own')
    assert torch.allclose(found, expected, atol=1e-6)


def test_gradients_reach_the_images(scorer: SemanticScorer) -> None:
    images = views().requires_grad_()
    place = scorer.localise(scorer.relevancy(images, 'mug'))
    (place.centroid.sum() + place.peak.sum()).backward()
    assert images.grad is not None
    assert (images.grad.abs().sum(dim=(1, 2, 3)) > 0).all()


def test_larger_views_of_the_same_ratio_are_scaled(scorer: SemanticScorer) -> None:
    assert scorer.relevancy(views(1, 48, 80), 'mug').shape == (1, 3, 5)


def test_text_is_encoded_once(scorer: SemanticScorer, monkeypatch: pytest.MonkeyPatch) -> None:
    first = scorer.encode_text(['a new phrase', 'a new phrase'])
    monkeypatch.setattr(scorer.model, 'encode_text', None)
    assert torch.equal(scorer.encode_text(['a new phrase']), first[:1])
    assert torch.allclose(first.norm(dim=1), torch.ones(2))


def test_templates_are_averaged(folder: Path) -> None:
    config = replace(read_config(folder), templates=('a photo of a {}', 'the {}'))
    embedding = SemanticScorer.load(config).encode_text(['mug'])
    singles = [
        SemanticScorer.load(replace(config, templates=(template,))).encode_text(['mug'])
        for template in config.templates
    ]
    expected = torch.nn.functional.normalize(sum(singles), dim=1)
    assert torch.allclose(embedding, expected, atol=1e-5)


def test_neutral_phrases_never_compete_with_their_own_word() -> None:
    assert negatives_for('robot gripper', ('object', 'robot')) == ['object']
    assert negatives_for('mug', ('object', 'robot')) == ['object', 'robot']
    assert negatives_for('object', ('object',)) == ['object']


def test_a_model_of_open_clips_own_by_name_and_file(tmp_path: Path, folder: Path) -> None:
    description = tmp_path / 'tiny-cell.json'
    description.write_text(json.dumps(TINY['model_cfg']))
    open_clip_module().add_model_config(description)
    config = SemanticConfig('tiny-cell', str(folder / WEIGHTS_FILE), precision='fp32')
    scorer = SemanticScorer.load(config)
    assert scorer.scale == 10.0
    assert scorer.relevancy(views(), 'mug').shape == (2, 3, 5)


def test_the_tower_can_be_adapted_to_another_size(folder: Path) -> None:
    config = replace(read_config(folder), image_size=(24, 40), method='naclip')
    assert SemanticScorer.load(config).relevancy(views(), 'mug').shape == (2, 3, 5)


def test_configuration_survives_its_file(tmp_path: Path) -> None:
    config = SemanticConfig('', threshold=0.3, centring=Centring(0.1, 2.0), image_size=(24, 40))
    write_config(config, tmp_path)
    assert replace(read_config(tmp_path), model_name='') == config


@pytest.mark.parametrize(
    'images',
    [
        torch.rand(3, 24, 40),
        torch.rand(1, 1, 24, 40),
        torch.zeros(1, 3, 24, 40, dtype=torch.uint8),
    ],
    ids=['no batch', 'one channel', 'bytes'],
)
def test_wrong_images_are_refused(scorer: SemanticScorer, images: torch.Tensor) -> None:
    with pytest.raises(ObservationError, match='views'):
        scorer.relevancy(images, 'mug')


def test_an_empty_phrase_is_refused(scorer: SemanticScorer) -> None:
    with pytest.raises(InstructionError, match='empty'):
        scorer.relevancy(views(), ' ')


@pytest.mark.parametrize(
    ('values', 'says'),
    [
        ({'method': 'magic'}, 'magic'),
        ({'threshold': 2.0}, 'threshold'),
        ({'negatives': []}, 'negatives'),
        ({'templates': ['a photo']}, 'templates'),
        ({'precision': 'int3'}, 'int3'),
        ({'colour': 1}, 'colour'),
        ({'centring': {'depth': 1}}, 'depth'),
    ],
)
def test_impossible_configuration_is_named(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        SemanticConfig.from_dict({'model_name': 'x', **values})


def _drop(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value for name, value in weights.items() if name != 'visual.proj'}


def _reshape(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {**weights, 'visual.positional_embedding': torch.zeros(10, 32)}


def _poison(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {**weights, 'visual.proj': torch.full((32, 16), float('nan'))}


def _extra(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {**weights, 'visual.tail': torch.zeros(1)}


@pytest.mark.parametrize(
    ('change', 'says'),
    [(_drop, 'visual.proj.* is missing'), (_reshape, 'visual.positional_embedding.*expected'),
     (_poison, 'visual.proj.* not finite'), (_extra, 'visual.tail.* not part')],
    ids=['missing', 'shape', 'nan', 'extra'],
)  # fmt: skip
def test_wrong_weights_are_named(
    folder: Path, tmp_path: Path, change: Callable[..., dict[str, torch.Tensor]], says: str
) -> None:
    _copy(folder, tmp_path)
    save_file(change(load_file(folder / WEIGHTS_FILE)), tmp_path / WEIGHTS_FILE)
    with pytest.raises(ModelError, match=says):
        SemanticScorer.load(tmp_path)


@pytest.mark.parametrize('name', [CONFIG_FILE, WEIGHTS_FILE, 'semantic.json'])
@pytest.mark.parametrize('content', [None, b'', b'{"a": [1', b'[]'], ids=repr)
def test_broken_files_are_named(
    folder: Path, tmp_path: Path, name: str, content: bytes | None
) -> None:
    _copy(folder, tmp_path)
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=name):
        SemanticScorer.load(tmp_path)


def test_a_name_without_weights_or_an_unknown_one_is_refused() -> None:
    with pytest.raises(ModelError, match='pretrained'):
        SemanticScorer.load(SemanticConfig('ViT-B-32'))
    with pytest.raises(ModelError, match='ViT-Z-99'):
        SemanticScorer.load(SemanticConfig('ViT-Z-99', 'nobody'))


def _copy(source: Path, target: Path) -> None:
    for file in source.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
