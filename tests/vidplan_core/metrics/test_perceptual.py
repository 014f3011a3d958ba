# SPDX-License-Identifier: Apache-2.0
"""The deep-feature distance is a distance, and with LPIPS' weights it is LPIPS."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from vidplan_core.errors import ModelError
from vidplan_core.metrics.perceptual import FeatureDistance
from vidplan_core.metrics.perceptual_networks import (
    EFFICIENTNET_PACKAGE,
    load_feature_distance,
    lpips_from,
)
from vidplan_core.models.torchvision_shim import ensure_torchvision

MODELS = Path(__file__).resolve().parents[3] / 'models' / 'cell'


def pyramid(images: torch.Tensor) -> list[torch.Tensor]:
    """Features without a network: colours, and colours of 4 x 4 pixels."""
    return [images + 0.1, functional.avg_pool2d(images, 4) + 0.1]


@pytest.fixture(scope='module')
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    first = torch.rand(2, 3, 64, 96, generator=generator)
    return first, (first + 0.1 * torch.randn(first.shape, generator=generator)).clamp(0, 1)


def networks() -> list[str]:
    names = ['pyramid', 'semantic']
    return [*names, 'efficientnet'] if find_spec(EFFICIENTNET_PACKAGE) else names


def distance_of(network: str) -> FeatureDistance:
    if network == 'pyramid':
        return FeatureDistance('pyramid', pyramid)
    return load_feature_distance(network, MODELS)


@pytest.mark.parametrize('network', networks())
def test_a_distance_is_zero_for_equals_symmetric_and_grows(network: str, pair):
    if network == 'semantic':  # it sees views of its own shape only
        pair = tuple(functional.interpolate(images, (60, 100)) for images in pair)
    distance = distance_of(network)
    first, second = (distance.embed(images) for images in pair)
    other = distance.embed(pair[0].flip(-1))
    assert distance.distance(first, first).abs().max() < 1e-6
    apart = distance.distance(first, second)
    torch.testing.assert_close(apart, distance.distance(second, first))
    assert (apart > 1e-4).all()
    assert (distance.distance(first, other) > apart).all()


def test_over_a_mask_only_its_pixels_count(pair):
    distance = FeatureDistance('pyramid', pyramid)
    image = pair[0]
    spoilt = image.clone()
    spoilt[..., :48] = pair[1][..., :48]
    first, second = distance.embed(image), distance.embed(spoilt)
    left = torch.zeros(2, 64, 96, dtype=torch.bool)
    left[..., :48] = True
    left[1] = False
    over_left = distance.distance_where(first, second, left)
    assert over_left[0] > 1.9 * distance.distance(first, second)[0]
    assert over_left[1].isnan()
    everywhere = distance.distance_where(first, second, torch.ones_like(left))
    torch.testing.assert_close(everywhere, distance.distance(first, second), rtol=0.02, atol=0)


def test_with_the_fitted_weights_it_is_lpips(pair, tmp_path: Path):
    ensure_torchvision()
    lpips = pytest.importorskip('torchmetrics.functional.image.lpips')
    torch.manual_seed(0)
    oracle = lpips._LPIPS(net='alex', pnet_rand=True)  # random trunk, fitted channel weights
    trunk, heads = tmp_path / 'alexnet.pth', tmp_path / 'heads.pth'
    layers = oracle.net.state_dict()
    torch.save({f'features.{name.partition(".")[2]}': layers[name] for name in layers}, trunk)
    fitted = {k: v for k, v in oracle.state_dict().items() if k.startswith('lin')}
    torch.save({k: v for k, v in fitted.items() if not k.startswith('lins')}, heads)
    distance = lpips_from(trunk, heads)
    found = distance.distance(*(distance.embed(images) for images in pair))
    expected = oracle(2 * pair[0] - 1, 2 * pair[1] - 1).flatten()
    torch.testing.assert_close(found, expected.detach(), rtol=1e-4, atol=1e-6)


def test_weights_that_are_not_here_are_named(monkeypatch, tmp_path: Path):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    with pytest.raises(ModelError, match='alexnet-owt'):
        load_feature_distance('lpips', MODELS)
    with pytest.raises(ModelError, match='known: auto, lpips'):
        load_feature_distance('inception', MODELS)
    broken = tmp_path / 'hub/checkpoints/alexnet-owt-7be5be79.pth'
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b'no weights')
    with pytest.raises(ModelError, match='no readable file of weights'):
        load_feature_distance('lpips', MODELS)
