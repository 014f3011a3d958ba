# SPDX-License-Identifier: Apache-2.0
"""A head that reads from latents what the tower would say of pictures."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.fakes.tiny_scorer import TinyScorer
from vidplan_core.errors import ModelError
from vidplan_core.heads.detectors.latent_relevancy import (
    LatentRelevancy,
    LatentRelevancyConfig,
    latents_of_views,
    load_latent_relevancy,
    save_latent_relevancy,
)
from vidplan_core.heads.value import text_probe

VIEWS = 2


def head(rows: int = 3, columns: int = 4) -> LatentRelevancy:
    torch.manual_seed(0)
    probe = text_probe(TinyScorer())  # type: ignore[arg-type]
    return LatentRelevancy(LatentRelevancyConfig(4, rows, columns, 8, 2, 6, probe))


@pytest.mark.parametrize('grid', [(3, 4), (2, 3), (6, 8)], ids=['equal', 'coarser', 'finer'])
def test_maps_have_the_grid_of_the_tower(grid: tuple[int, int]) -> None:
    found = head(*grid)(torch.randn(5, 4, 3, 4))
    assert found.shape == (5, 6, *grid)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(5, *grid))


def test_views_are_read_apart_and_only_those_that_are_named() -> None:
    read = head().read_for(TinyScorer(), VIEWS)  # type: ignore[arg-type]
    latents = torch.randn(3, 4, VIEWS * 3, 4, requires_grad=True)
    maps = read(latents, (), 'carrot')
    assert maps.shape == (3, VIEWS, 3, 4)
    second = read(latents, (1,), 'carrot')
    torch.testing.assert_close(second, maps[:, 1:])
    (slope,) = torch.autograd.grad(second.sum(), latents)
    upper, lower = latents_of_views(slope, VIEWS).unbind(1)
    assert not upper.any()
    assert lower.any()


def test_a_head_is_kept_and_fits_its_scorer_and_latents_only(tmp_path: Path) -> None:
    kept = head()
    save_latent_relevancy(tmp_path / 'relevancy', kept)
    found, latents = load_latent_relevancy(tmp_path), torch.randn(1, 4, 3, 4)
    torch.testing.assert_close(found(latents), kept(latents), atol=1e-2, rtol=0.0)
    scorer = TinyScorer()
    found.config.check_fits(4, scorer)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match='vidplan-train relevancy-head'):
        found.config.check_fits(8, scorer)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match='multiple of 8'):
        LatentRelevancyConfig(width=9)
