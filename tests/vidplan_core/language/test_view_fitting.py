# SPDX-License-Identifier: Apache-2.0
"""Views that no tower was trained on: resampled positions, tiles, and towers by configuration."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from vidplan_core.errors import ConfigError, ModelError
from vidplan_core.language.dense import dense_embeddings
from vidplan_core.language.open_clip_model import open_clip_module, save_open_clip
from vidplan_core.language.semantic import SemanticScorer
from vidplan_core.language.semantic_config import (
    CONFIG_FILE,
    SemanticConfig,
    read_config,
    write_config,
)
from vidplan_core.language.view_fitting import TowerSize, in_tiles, tile_starts

TEXT = {'context_length': 12, 'vocab_size': 49408, 'width': 16, 'heads': 2, 'layers': 1}
PREPROCESS = {'mean': [0.5] * 3, 'std': [0.25] * 3}
SQUARE_VIT = {
    'embed_dim': 16,
    'vision_cfg': {'image_size': 32, 'patch_size': 8, 'layers': 2, 'width': 32, 'head_width': 16},
    'text_cfg': TEXT,
}
SIGLIP = {
    'embed_dim': 192,
    'custom_text': True,
    'init_logit_bias': -10,
    'vision_cfg': {'image_size': 224, 'timm_model_name': 'vit_tiny_patch16_224',
                   'timm_pool': 'map', 'timm_proj': 'none'},
    'text_cfg': TEXT | {'width': 48, 'no_causal_mask': True, 'pool_type': 'last'},
}  # fmt: skip


def save(folder: Path, config: dict[str, Any]) -> Path:
    """A folder of open_clip's with random weights, in half precision as folders are."""
    open_clip = open_clip_module()
    torch.manual_seed(0)
    plain = {name: value for name, value in config.items() if name != 'custom_text'}
    kind = open_clip.CustomTextCLIP if config.get('custom_text') else open_clip.CLIP
    save_open_clip(kind(**plain), {'model_cfg': config, 'preprocess_cfg': PREPROCESS}, folder)
    return folder


@pytest.fixture(scope='module')
def towers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp('towers')
    return {'clip': save(root / 'clip', SQUARE_VIT), 'siglip': save(root / 'siglip', SIGLIP)}


def config_of(folder: Path, **values: Any) -> SemanticConfig:
    return SemanticConfig(f'local-dir:{folder}', **{'precision': 'fp32', **values})


def views(height: int, width: int, count: int = 2) -> torch.Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize('precision', ['fp32', 'bf16', 'fp16'])
@pytest.mark.parametrize('fit', ['positions', 'tiles', 'stretch'])
@pytest.mark.parametrize('tower', ['clip', 'siglip'])
def test_every_tower_maps_views_of_any_shape(
    towers: dict[str, Path], tower: str, fit: str, precision: str
) -> None:
    scorer = SemanticScorer(config_of(towers[tower], fit=fit, precision=precision))
    maps = scorer.relevancy(views(48, 80), 'mug')
    assert maps.isfinite().all()
    assert 0.0 <= maps.min() < maps.max() <= 1.0
    rows, columns = maps.shape[-2:]
    wanted = 1.0 if fit == 'stretch' else 80 / 48
    assert columns / rows == pytest.approx(wanted, rel=0.2)


@pytest.mark.parametrize('tower', ['clip', 'siglip'])
def test_half_precision_folders_are_adapted_to_a_size_on_a_cpu(
    towers: dict[str, Path], tower: str
) -> None:
    scorer = SemanticScorer(config_of(towers[tower], image_size=(96, 160)))
    patch = 8 if tower == 'clip' else 16
    assert scorer.relevancy(views(96, 160), 'mug').shape == (2, 96 // patch, 160 // patch)
    assert scorer.image_size == (96, 160)


def test_positions_are_resampled_as_open_clip_does(towers: dict[str, Path]) -> None:
    scorer = SemanticScorer(config_of(towers['clip'], image_size=(48, 80)))
    # Its own way crashes on half-precision files, so it gets the same numbers in full precision.
    open_clip = open_clip_module()
    loaded = scorer.model.state_dict()
    own = open_clip.create_model(f'local-dir:{towers["clip"]}')
    state = own.state_dict()
    wide = open_clip.CLIP(**SQUARE_VIT | {'vision_cfg': SQUARE_VIT['vision_cfg'] | {
        'image_size': [48, 80]}})  # fmt: skip
    open_clip.factory.resize_pos_embed(state, wide)
    wanted = state['visual.positional_embedding']
    torch.testing.assert_close(loaded['visual.positional_embedding'], wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize('tower', ['clip', 'siglip'])
def test_sizes_do_not_wear_out_the_positions(towers: dict[str, Path], tower: str) -> None:
    """Another camera in between leaves no trace."""
    scorer = SemanticScorer(config_of(towers[tower], fit='positions'))
    square, wide = views(32, 32), views(48, 80)
    first = scorer.dense(square), scorer.dense(wide)
    again = scorer.dense(square), scorer.dense(wide)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


@torch.no_grad()
def test_the_mean_of_a_siglip_map_is_its_pooled_head_where_that_looks_everywhere(
    towers: dict[str, Path],
) -> None:
    """At a size that it was not trained on; before the head's last layer, which is not linear."""
    tower = SemanticScorer(config_of(towers['siglip'], image_size=(96, 160))).model.visual
    pool = tower.trunk.attn_pool
    pool.mlp = None
    for value in pool.q.parameters():
        value.zero_()
    images = views(96, 160)
    pooled = tower(images)
    patches = tower.trunk.forward_features(images)[:, tower.trunk.num_prefix_tokens :]
    values = pool.kv(patches).chunk(2, dim=-1)[1]
    torch.testing.assert_close(pool.proj(values).mean(1), pooled, atol=1e-5, rtol=1e-5)
    dense = dense_embeddings(tower, images).flatten(2).transpose(1, 2)
    expected = F.normalize(pool.proj(values), dim=-1)
    torch.testing.assert_close(dense, expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_clip_patch_is_what_the_tower_pools_of_it_alone(towers: dict[str, Path]) -> None:
    """With attention that sees nothing else, the last block mixes nothing, at any size."""
    tower = SemanticScorer(config_of(towers['clip'], image_size=(48, 80))).model.visual
    images = views(48, 80)
    block = tower.transformer.resblocks[-1]
    tokens = block.ln_1(tower.transformer.resblocks[0](tower._embeds(images)))
    alone = torch.full((61, 61), float('-inf')).fill_diagonal_(0.0)
    pooled = tower.ln_post(block.attention(tokens, attn_mask=alone)[:, 1:]) @ tower.proj
    dense = dense_embeddings(tower, images).flatten(2).transpose(1, 2)
    torch.testing.assert_close(dense, F.normalize(pooled, dim=-1), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ('length', 'tile', 'starts'),
    [(4, 4, [0]), (5, 4, [0, 1]), (8, 4, [0, 4]), (9, 4, [0, 2, 5])],
)
def test_tiles_cover_everything(length: int, tile: int, starts: list[int]) -> None:
    assert tile_starts(length, tile) == starts
    covered = {place for start in starts for place in range(start, start + tile)}
    assert covered == set(range(length))


def test_tiles_are_put_where_they_were_cut() -> None:
    """Of an embedding that sees its own patch only, tiles give the map of the whole image."""

    def embed(images: torch.Tensor) -> torch.Tensor:
        return F.normalize(F.avg_pool2d(images, 8), dim=1)

    images = views(24, 56)
    found = in_tiles(embed, images, (24, 24), (8, 8))
    torch.testing.assert_close(found, embed(images))


def test_a_size_keeps_the_shape_and_the_number_of_patches(towers: dict[str, Path]) -> None:
    size = TowerSize(SemanticScorer(config_of(towers['siglip'])).model.visual)
    assert size.like((192, 320)) == (176, 288)
    assert size.like((500, 500)) == (224, 224)
    assert abs(176 * 288 / 224**2 - 1) < 0.02
    with pytest.raises(ModelError, match='no whole patches'):
        size.change((100, 100))


@pytest.mark.parametrize(
    ('values', 'name', 'pretrained'),
    [
        ({'model_name': 'ViT-B-16', 'pretrained': 'openai'}, 'ViT-B-16', 'openai'),
        ({'model_name': 'hf-hub:timm/ViT-B-16-SigLIP2'}, 'hf-hub:timm/ViT-B-16-SigLIP2', None),
        ({'model_name': 'local-dir:/towers/a'}, 'local-dir:/towers/a', None),
        ({'model_name': 'local-dir:tower'}, 'local-dir:{folder}/tower', None),
        ({}, 'local-dir:{folder}', None),
    ],
    ids=['name', 'hub', 'folder', 'beside', 'here'],
)
def test_a_file_names_its_tower(
    tmp_path: Path, values: dict[str, str], name: str, pretrained: str | None
) -> None:
    (tmp_path / CONFIG_FILE).write_text(json.dumps(values))
    config = read_config(tmp_path)
    assert config.model_name == name.format(folder=tmp_path)
    assert config.pretrained == pretrained


def test_a_folder_of_earlier_versions_still_says_the_same(tmp_path: Path) -> None:
    write_config(SemanticConfig(), tmp_path)
    values = json.loads((tmp_path / CONFIG_FILE).read_text())
    del values['fit']
    for stretch, fit in ((True, 'stretch'), (False, 'tiles')):
        (tmp_path / CONFIG_FILE).write_text(json.dumps(values | {'stretch': stretch}))
        assert read_config(tmp_path).fit == fit
    with pytest.raises(ConfigError, match="fit 'squeeze'"):
        replace(read_config(tmp_path), fit='squeeze')
