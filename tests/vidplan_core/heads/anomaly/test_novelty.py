# SPDX-License-Identifier: Apache-2.0
"""Strange scenes are noticed by their distance from remembered ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fakes.tiny import tiny_config
from vidplan_core.errors import ModelError
from vidplan_core.heads.anomaly.novelty import (
    FOLDER,
    SIDES,
    Novelty,
    NoveltyConfig,
    load_novelty,
    save_novelty,
    squares,
)
from vidplan_core.models.io import WEIGHTS
from vidplan_training.recipes.novelty import far_apart, remember, with_patches, with_usual

CHANNELS, VIEWS = 4, 3


def scenes(count: int, seed: int) -> torch.Tensor:
    """Smooth latents (count, channels, 12, 8) of a narrow kind."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(count, CHANNELS, 3, 2, generator=generator)
    fine = 0.2 * torch.randn(count, CHANNELS, 12, 8, generator=generator)
    return coarse.repeat_interleave(4, 2).repeat_interleave(4, 3) + fine


@pytest.fixture(scope='module')
def novelty() -> Novelty:
    made = remember(scenes(60, 0), tiny_config(), 300, np.random.default_rng(0))
    return with_usual(made, scenes(40, 1))


def test_squares_stay_within_their_view() -> None:
    latents = torch.arange(2 * CHANNELS * 12 * 8.0).reshape(2, CHANNELS, 12, 8)
    for side in SIDES:
        found = squares(latents, VIEWS, side)
        each = (4 - side + 1) * (8 - side + 1)
        assert found.shape == (2, VIEWS * each, CHANNELS * side**2)
        corner = latents[1, :, 4 : 4 + side, :side]  # the second view's first
        torch.testing.assert_close(found[1, each], corner.flatten())


def test_what_is_remembered_is_not_strange() -> None:
    latents = scenes(5, 3)
    whole = remember(latents, tiny_config(), 5 * 36, np.random.default_rng(0))
    distances = whole.distances(latents, SIDES[1])
    torch.testing.assert_close(distances, torch.zeros(5, VIEWS, 2, 6), atol=2e-2, rtol=0)


def test_rows_that_are_kept_are_far_apart() -> None:
    generator = torch.Generator().manual_seed(0)
    near = 0.01 * torch.randn(500, 2, generator=generator)
    rows = torch.cat([near, torch.tensor([[5.0, 0.0], [0.0, 5.0], [-5.0, -5.0]])])
    assert set(far_apart(rows, 4).tolist()) == {0, 500, 501, 502}
    assert far_apart(rows[:3], 3).tolist() == [0, 1, 2]


def test_usual_scenes_are_usual_and_a_strange_thing_or_light_is_not(novelty: Novelty) -> None:
    usual = scenes(40, 2)
    thing = usual.clone()
    thing[:, :, 5:8, 2:5] += torch.tensor([4.0, -4.0, 4.0, -4.0])[:, None, None]
    light = usual + 3.0
    seen, strange, bright = (novelty.score(latents) for latents in (usual, thing, light))
    assert abs(float(seen.median())) < 1.5
    assert strange.min() > seen.quantile(0.9)
    assert bright.min() > seen.quantile(0.9)


def test_views_that_are_missing_or_swapped_are_strange() -> None:
    places = torch.tensor([0.0, 2.0, -2.0]).repeat_interleave(4)[:, None]  # each view its own
    seen = [scenes(count, seed) + places for count, seed in ((400, 5), (80, 6), (40, 7))]
    memory = with_usual(remember(seen[0], tiny_config(), 300, np.random.default_rng(0)), seen[1])
    blind, swapped = seen[2].clone(), seen[2].clone()
    blind[:, :, 4:8] = blind[:, :, 4:8].mean((2, 3), keepdim=True)
    swapped[:, :, 4:8], swapped[:, :, 8:] = seen[2][:, :, 8:], seen[2][:, :, 4:8]
    usual = memory.score(seen[2])
    for strange in (blind, swapped):
        assert float((memory.score(strange)[:, None] > usual).float().mean()) > 0.95


def test_the_memory_survives_its_file(tmp_path: Path, novelty: Novelty) -> None:
    save_novelty(tmp_path / FOLDER, novelty)
    again = load_novelty(tmp_path)
    assert again.config == novelty.config
    latents = scenes(3, 4)
    torch.testing.assert_close(again.score(latents), novelty.score(latents), atol=0.05, rtol=0.02)
    weights = tmp_path / FOLDER / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(ModelError, match='corrupt'):
        load_novelty(tmp_path)


def test_a_memory_of_other_latents_is_refused(novelty: Novelty) -> None:
    novelty.config.check_fits(tiny_config(), CHANNELS, 6)
    with pytest.raises(ModelError, match='vidplan-train novelty'):
        novelty.config.check_fits(tiny_config(), 8, 6)
    with pytest.raises(ValueError, match='too few'):
        remember(scenes(2, 0), tiny_config(), 10_000, np.random.default_rng(0))


def embeddings(count: int, seed: int) -> torch.Tensor:
    """Unit embeddings (count, views, 6, 3, 4) of patches of three kinds."""
    generator = torch.Generator().manual_seed(seed)
    kinds = torch.eye(6)[:3]
    drawn = kinds[torch.randint(3, (count, VIEWS, 3, 4), generator=generator)]
    noisy = drawn + 0.05 * torch.randn(drawn.shape, generator=generator)
    return torch.nn.functional.normalize(noisy, dim=-1).movedim(-1, 2)


def test_a_patch_of_an_unknown_kind_is_strange(novelty: Novelty, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    memory = with_patches(novelty, embeddings(30, 0), 40, rng, drawn=3)
    memory = with_usual(memory, scenes(40, 1), embeddings(40, 1))
    assert (memory.sees_patches, novelty.sees_patches) == (True, False)
    latents, seen = scenes(20, 2), embeddings(20, 2)
    strange = seen.clone()
    strange[:, 1, :, 2, 3] = torch.eye(6)[5]  # one patch of one view, and the latents as ever
    usual, found = memory.score(latents, seen), memory.score(latents, strange)
    assert found.min() > usual.max()
    # Where nobody looked, and where patches are not remembered, latents alone count.
    torch.testing.assert_close(memory.score(latents), novelty.score(latents))
    torch.testing.assert_close(novelty.score(latents, strange), novelty.score(latents))
    save_novelty(tmp_path / FOLDER, memory)
    again = load_novelty(tmp_path).score(latents, strange)
    torch.testing.assert_close(again, found, atol=0.05, rtol=0.02)


def test_a_memory_of_other_embeddings_is_refused(novelty: Novelty) -> None:
    memory = with_patches(novelty, embeddings(3, 0), 40, np.random.default_rng(0))
    memory.config.check_fits(tiny_config(), CHANNELS, 6)
    with pytest.raises(ModelError, match='of 6 numbers does not fit .* gives 5'):
        memory.config.check_fits(tiny_config(), CHANNELS, 5)


def test_a_memory_of_an_earlier_edition_is_refused() -> None:
    with pytest.raises(ModelError, match='3 numbers each.*vidplan-train novelty'):
        NoveltyConfig(usual=(0.0, 0.0), spread=(1.0, 1.0))
