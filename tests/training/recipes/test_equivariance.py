# SPDX-License-Identifier: Apache-2.0
"""Latents that move with the picture cost nothing, others do; noise is as large as asked for."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from vidplan_core.world_model.autoencoders.config import AutoencoderConfig
from vidplan_core.world_model.autoencoders.convolutional import Autoencoder
from vidplan_training.engine.batch_shard import WHOLE, BatchShard
from vidplan_training.recipes.autoencoder.equivariance import (
    SHIFT,
    ZOOM,
    inconsistency,
    mean_inside,
    random_warps,
    unwarped,
    warp,
    warp_half,
    with_noise,
)
from vidplan_training.recipes.autoencoder.recipe import loss_of, psnr_of_warped

ROWS, COLUMNS, STRIDE = 4, 6, 8


def shift(places: float, count: int = 1) -> Tensor:
    """What is seen comes from some latent places to the right."""
    return torch.tensor([[1.0, 0.0, 2.0 * places / COLUMNS], [0.0, 1.0, 0.0]]).repeat(count, 1, 1)


class Pooling(Autoencoder):
    """Latents are mean colours, which move as pictures do."""

    def __init__(self) -> None:
        super().__init__(AutoencoderConfig(3, (8, 8, 8), 1))

    def moments(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """See `Autoencoder`."""
        mean = functional.avg_pool2d(images, STRIDE)
        return mean, torch.full_like(mean, -20.0)

    def decode(self, latents: Tensor) -> Tensor:
        """See `Autoencoder`."""
        return functional.interpolate(latents, scale_factor=STRIDE)


@pytest.fixture
def pictures() -> Tensor:
    torch.manual_seed(0)
    return torch.rand(2, 3, ROWS * STRIDE, COLUMNS * STRIDE) * 2 - 1


def test_pictures_and_latents_are_moved_alike(pictures: Tensor) -> None:
    latents = functional.avg_pool2d(pictures, STRIDE)
    maps = shift(1.0, 2)
    both = warp(pictures, maps), warp(latents, maps)
    torch.testing.assert_close(both[1].values[..., :-1], latents[..., 1:], atol=1e-5, rtol=0)
    expected = functional.avg_pool2d(both[0].values, STRIDE)[..., :-1]
    torch.testing.assert_close(expected, both[1].values[..., :-1], atol=1e-5, rtol=0)
    assert both[1].inside[..., :-1].all()
    assert not both[1].inside[..., -1].any()  # was not in the picture


def test_moves_stay_within_their_bounds() -> None:
    torch.manual_seed(0)
    maps = random_warps(500, WHOLE)
    assert 0.9 * 2 * SHIFT < maps[:, :, 2].abs().max() <= 2 * SHIFT
    assert maps[:, 0, 0].log().abs().max() <= ZOOM
    assert (maps[:, 0, 1] == 0).all()
    torch.manual_seed(0)
    part = random_warps(250, BatchShard(1, 2))
    torch.testing.assert_close(part, maps[250:])  # of the same batch


def test_latents_that_follow_cost_nothing_and_others_do(pictures: Tensor) -> None:
    latents, maps = functional.avg_pool2d(pictures, STRIDE), shift(1.0, 2)
    good = functional.avg_pool2d(warp(pictures, maps).values, STRIDE)
    assert float(inconsistency(good, warp(latents, maps))) < 1e-8
    assert float(inconsistency(latents, warp(latents, maps))) > 0.5


def test_half_of_a_batch_is_moved(pictures: Tensor) -> None:
    torch.manual_seed(1)
    many, model = pictures.repeat(20, 1, 1, 1), Pooling()
    latents = model.encode(many)
    found = warp_half(model, many, latents, WHOLE)
    still = (found.latents == latents).flatten(1).all(1)
    assert 8 <= int(still.sum()) <= 32
    assert torch.equal(found.pictures.values[still], many[still])
    assert bool(found.pictures.inside[still].all())
    assert not bool(found.pictures.inside[~still].all())
    assert float(found.error) > 0.0
    plain = unwarped(many, latents)
    assert torch.equal(plain.latents, latents)
    assert float(plain.error) == 0.0


def test_only_what_is_inside_counts() -> None:
    values = torch.tensor([[[[1.0, 5.0]], [[3.0, 7.0]]]])
    assert float(mean_inside(values, torch.tensor([[[[True, False]]]]))) == 2.0


def test_noise_is_of_the_size_asked_for() -> None:
    torch.manual_seed(0)
    latents = torch.randn(4000, 2, 3, 3) * torch.tensor([1.0, 10.0])[:, None, None]
    noise = with_noise(latents, 0.2, WHOLE) - latents
    # Half of the rows, each of a size from a normal distribution.
    noisy = (noise.flatten(1).abs().amax(1) > 0).float()
    assert float(noisy.mean()) == pytest.approx(0.5, abs=0.05)
    expected = 0.2 * 0.5**0.5
    assert float(noise[:, 0].std()) == pytest.approx(expected, rel=0.1)
    assert float(noise[:, 1].std()) == pytest.approx(10 * expected, rel=0.1)
    assert torch.equal(with_noise(latents, 0.0, WHOLE), latents)


def test_training_makes_latents_follow(pictures: Tensor) -> None:
    torch.manual_seed(0)
    model = Autoencoder(AutoencoderConfig(4, (8, 8, 8), 1))
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    smooth = functional.interpolate(
        torch.rand(8, 3, ROWS, COLUMNS) * 2 - 1, scale_factor=STRIDE, mode='bicubic'
    ).clamp(-1, 1)

    def error() -> float:
        torch.manual_seed(5)
        with torch.no_grad():
            return float(warp_half(model, smooth, model.encode(smooth), WHOLE).error)

    before = error()
    for _ in range(40):
        loss = loss_of(model, smooth, equivariance=1.0, noise=0.1)
        assert bool(loss.isfinite())
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    assert error() < 0.7 * before
    assert psnr_of_warped(model, smooth) > 0.0
