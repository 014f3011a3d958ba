# SPDX-License-Identifier: Apache-2.0
"""Heads of a models folder: found where they are, refused where they do not fit, exact."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.fakes.tiny import CHANNELS, straight_chunk, tiny_world_model
from tests.fakes.tiny_scorer import TEXT, TinyScorer
from vidplan_core.errors import ModelError
from vidplan_core.heads.anomaly.novelty import Novelty, NoveltyConfig, save_novelty
from vidplan_core.heads.bundle import load_heads
from vidplan_core.heads.conformal import LowerBound, save_bound
from vidplan_core.heads.network import HeadConfig, save_head
from vidplan_core.heads.uncertainty import UncertaintyHead
from vidplan_core.heads.value import ValueHead
from vidplan_core.language.instruction import Instruction
from vidplan_core.world_model.sampling.sampler import SamplingConfig

SIZES = HeadConfig(
    channels=CHANNELS, rows=12, columns=8, widths=(8, 16, 16), embedding=16, attention_heads=2
)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    save_head(tmp_path / 'uncertainty', UncertaintyHead(SIZES))
    value = ValueHead(replace(SIZES, text=3 + 2 * TEXT, maps=2, bin_count=20, bin_high=1.0))
    save_head(tmp_path / 'value', value)
    save_bound(tmp_path / 'value', LowerBound(0.1, 0.1, 40))
    return tmp_path


def test_a_folder_without_heads_has_nothing_to_ask(tmp_path: Path) -> None:
    heads = load_heads(tmp_path, tiny_world_model(), TinyScorer())
    assert not heads.see_imaginations
    assert heads.novelty is None


def test_both_heads_see_new_frames(models: Path) -> None:
    model = tiny_world_model()
    images = torch.randint(0, 256, (1, 2, 96, 64, 3), dtype=torch.uint8)
    context = model.context(images, straight_chunk(torch.zeros(1, 3), frames=2))
    imagination = model.imagine(context, straight_chunk(torch.randn(3, 3)), SamplingConfig(2))
    heads = load_heads(models, model, TinyScorer())
    assert heads.uncertainty_head is not None
    uncertainty = heads.uncertainty_head.predict_error(imagination, [1, 2, 3, 4]).entropy
    assert uncertainty.shape == (3, 4, CHANNELS, 12, 8)
    last = heads.uncertainty_head.predict_error(imagination, [4]).entropy
    torch.testing.assert_close(last, uncertainty[:, 3:])
    grounding = heads.grounding(context, Instruction('place', 'pea', 'bowl'))
    value = heads.value(imagination, grounding, [1, 2, 3, 4])
    assert value.shape == (3, 4)
    torch.testing.assert_close(heads.value(imagination, grounding, [4]), value[:, 3:])
    bounded = load_heads(models, model, TinyScorer(), conformal=True)
    lower = bounded.value(imagination, grounding, [1, 2, 3, 4])
    torch.testing.assert_close(lower, (value - 0.1).clamp_min(0.0))


def test_a_memory_of_scenes_comes_with_the_heads(tmp_path: Path) -> None:
    save_novelty(tmp_path / 'novelty', Novelty(NoveltyConfig(CHANNELS, 3, 5)))
    heads = load_heads(tmp_path, tiny_world_model(), TinyScorer())
    assert heads.novelty is not None
    assert heads.novelty.score(torch.ones(2, CHANNELS, 12, 8)).shape == (2,)
    assert not heads.see_imaginations  # nothing about candidates to ask
    views = torch.rand(1, 3, 3, 32, 64)
    assert heads.seen(views) is None  # nobody asks what the image tower sees
    assert heads.strangeness(torch.ones(1, CHANNELS, 12, 8), None) is not None
    save_novelty(tmp_path / 'novelty', Novelty(NoveltyConfig(8, 3, 5)))
    with pytest.raises(ModelError, match='does not fit'):
        load_heads(tmp_path, tiny_world_model(), TinyScorer())
    four = (1.0,) * 4
    memory = Novelty(NoveltyConfig(CHANNELS, 3, 5, four, four, patches=2, width=3))
    save_novelty(tmp_path / 'novelty', memory)
    heads = load_heads(tmp_path, tiny_world_model(), TinyScorer())
    seen = heads.seen(views)
    assert seen is not None
    assert seen.shape == (1, 3, 3, 2, 4)
    assert heads.strangeness(torch.ones(1, CHANNELS, 12, 8), seen) is not None


def test_heads_of_another_world_model_are_refused(models: Path) -> None:
    save_head(models / 'uncertainty', UncertaintyHead(replace(SIZES, rows=24)))
    with pytest.raises(ModelError, match='does not fit'):
        load_heads(models, tiny_world_model(), TinyScorer())


def test_a_head_that_reads_places_needs_a_world_model_that_knows_its_cameras(
    models: Path,
) -> None:
    sizes = replace(SIZES, text=3 + 2 * TEXT, maps=2, offsets=24, bin_count=20, bin_high=1.0)
    save_head(models / 'value', ValueHead(sizes))
    with pytest.raises(ModelError, match='cameras'):
        load_heads(models, tiny_world_model(), TinyScorer())
