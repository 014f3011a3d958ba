# SPDX-License-Identifier: Apache-2.0
"""An instruction read before a scene: its words, and where its things are seen."""

from __future__ import annotations

import pytest
import torch

from tests.fakes.tiny import CHANNELS, straight_chunk, tiny_world_model
from tests.fakes.tiny_scorer import TEXT, TinyScorer
from vidplan_core.errors import InstructionError
from vidplan_core.heads.grounding import MAPS, VERBS, read

STILL = straight_chunk(torch.zeros(2, 3))


def test_every_scene_is_read_for_its_own_instruction() -> None:
    model, scorer = tiny_world_model(), TinyScorer()
    present = torch.randn(2, CHANNELS, 12, 8)
    words, poses = ['move to the mug', 'put the pea in the bowl'], STILL
    found = read(scorer, model, present, poses, words)  # type: ignore[arg-type]
    assert found.text.shape == (2, len(VERBS) + 2 * TEXT)
    assert found.maps.shape == (2, MAPS, 12, 8)
    assert not found.maps[0, 1].any()  # nothing to put it into
    assert not found.text[0, len(VERBS) + TEXT :].any()
    for row, instruction in enumerate(words):
        one = slice(row, row + 1)
        alone = read(scorer, model, present[one], poses.rows(one), [instruction])  # type: ignore[arg-type]
        torch.testing.assert_close(alone.maps[0], found.maps[row])
        torch.testing.assert_close(alone.text[0], found.text[row])


def test_maps_lie_where_the_views_do() -> None:
    model = tiny_world_model()
    present = torch.randn(1, CHANNELS, 12, 8)
    views = model.decode(present[:, None])[0, 0].clamp(0, 1)
    maps = read(TinyScorer(), model, present, STILL, ['move to the mug']).maps  # type: ignore[arg-type]
    for number, view in enumerate(views):
        bright = torch.nn.functional.avg_pool2d(view[None], 16).mean(1)
        wanted = torch.nn.functional.interpolate(
            torch.sigmoid(3 * bright)[None], (4, 8), mode='bilinear'
        )
        rows = slice(4 * number, 4 * number + 4)
        torch.testing.assert_close(maps[0, 0, rows], wanted[0, 0])


def test_an_instruction_that_is_not_understood_is_named() -> None:
    with pytest.raises(InstructionError):
        read(TinyScorer(), tiny_world_model(), torch.zeros(1, CHANNELS, 12, 8), STILL, ['sing'])  # type: ignore[arg-type]
