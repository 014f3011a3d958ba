# SPDX-License-Identifier: Apache-2.0
"""Dense paths of the towers, against what the tower itself does when nothing is mixed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from vidplan_core.errors import ModelError
from vidplan_core.language.dense import dense_embeddings
from vidplan_core.language.open_clip_model import open_clip_module

open_clip = open_clip_module()


@pytest.fixture(scope='module')
def vit() -> Any:
    torch.manual_seed(0)
    return open_clip.transformer.VisionTransformer(
        (24, 40), 8, width=32, layers=2, heads=2, mlp_ratio=2.0, output_dim=16
    ).eval()


@pytest.fixture(scope='module')
def siglip() -> Any:
    torch.manual_seed(0)
    tower = open_clip.timm_model.TimmModel(
        'vit_tiny_patch16_224', embed_dim=192, pool='map', proj='none'
    )
    tower.set_input_size((32, 48))
    return tower.eval()


@pytest.fixture(scope='module')
def resnet() -> Any:
    torch.manual_seed(0)
    return open_clip.modified_resnet.ModifiedResNet(
        (1, 1, 1, 1), output_dim=16, heads=8, image_size=64, width=8
    ).eval()


def test_maskclip_is_attention_that_sees_only_itself(vit: Any) -> None:
    images = torch.rand(2, 3, 24, 40)
    block = vit.transformer.resblocks[-1]
    with torch.no_grad():
        tokens = block.ln_1(vit.transformer.resblocks[0](vit._embeds(images)))
        only_itself = torch.full((16, 16), float('-inf')).fill_diagonal_(0.0)
        mixed = block.attention(tokens, attn_mask=only_itself)[:, 1:]
        expected = F.normalize(vit.ln_post(mixed) @ vit.proj, dim=-1)
        found = dense_embeddings(vit, images, 'maskclip')
    assert found.shape == (2, 16, 3, 5)
    assert torch.allclose(found.flatten(2).transpose(1, 2), expected, atol=1e-5)


def test_siglip_value_path_is_the_pool_of_a_single_token(siglip: Any) -> None:
    images = torch.rand(1, 3, 32, 48)
    with torch.no_grad():
        tokens = siglip.trunk.forward_features(images)[:, siglip.trunk.num_prefix_tokens :]
        pooled = [siglip.trunk.attn_pool(tokens[:, i : i + 1]) for i in range(tokens.shape[1])]
        expected = F.normalize(siglip.head(torch.stack(pooled, dim=1)), dim=-1)
        found = dense_embeddings(siglip, images, 'maskclip')
    assert found.shape[-2:] == (2, 3)
    assert torch.allclose(found.flatten(2).transpose(1, 2), expected, atol=1e-4)


def test_resnet_value_path(resnet: Any) -> None:
    found = dense_embeddings(resnet, torch.rand(1, 3, 64, 96), 'maskclip')
    assert found.shape == (1, 16, 2, 3)


@pytest.mark.parametrize('method', ['maskclip', 'naclip', 'plain'])
def test_every_method_gives_unit_vectors_and_gradients(vit: Any, method: str) -> None:
    images = torch.rand(2, 3, 24, 40, requires_grad=True)
    found = dense_embeddings(vit, images, method)
    found[0, 0, 1, 2].backward()
    assert torch.allclose(found.norm(dim=1), torch.ones(2, 3, 5), atol=1e-5)
    assert images.grad.abs().sum() > 0


def test_a_patch_depends_on_its_own_place(vit: Any) -> None:
    images = torch.rand(1, 3, 24, 40)
    changed = images.clone()
    changed[:, :, 16:, 32:] = 0.0
    with torch.no_grad():
        moved = dense_embeddings(vit, images) - dense_embeddings(vit, changed)
    strength = moved.norm(dim=1)[0]
    assert strength.argmax() == 14


def test_an_unknown_path_is_named(resnet: Any) -> None:
    with pytest.raises(ModelError, match="ModifiedResNet has no dense method 'naclip'"):
        dense_embeddings(resnet, torch.rand(1, 3, 64, 64), 'naclip')
    with pytest.raises(ModelError, match='Linear'):
        dense_embeddings(torch.nn.Linear(2, 2), torch.rand(1, 3, 64, 64))
