# SPDX-License-Identifier: Apache-2.0
"""An instruction grounded in a scene: its words, and where its things are seen."""

from __future__ import annotations

import torch

from tests.fakes.tiny import CHANNELS, straight_chunk, tiny_world_model
from tests.fakes.tiny_scorer import TEXT, TinyScorer
from vidplan_core.heads.grounding import MAPS, VERBS, ground
from vidplan_core.language.instruction import Instruction

STILL = straight_chunk(torch.zeros(2, 3))


def test_every_scene_is_grounded_for_its_own_instruction() -> None:
    model, scorer = tiny_world_model(), TinyScorer()
    present = torch.randn(2, CHANNELS, 12, 8)
    words = [Instruction('reach', 'mug'), Instruction('place', 'pea', 'bowl')]
    poses = STILL
    found = ground(scorer, model, present, poses, words)  # type: ignore[arg-type]
    assert found.text.shape == (2, len(VERBS) + 2 * TEXT)
    assert found.maps.shape == (2, MAPS, 12, 8)
    assert not found.maps[0, 1].any()  # nothing to put it into
    assert not found.text[0, len(VERBS) + TEXT :].any()
    for row, instruction in enumerate(words):
        one = slice(row, row + 1)
        alone = ground(scorer, model, present[one], poses.rows(one), [instruction])  # type: ignore[arg-type]
        torch.testing.assert_close(alone.maps[0], found.maps[row])
        torch.testing.assert_close(alone.text[0], found.text[row])


def test_maps_lie_where_the_views_do() -> None:
    model = tiny_world_model()
    present = torch.randn(1, CHANNELS, 12, 8)
    views = model.decode(present[:, None])[0, 0].clamp(0, 1)
    maps = ground(TinyScorer(), model, present, STILL, [Instruction('reach', 'mug')]).maps  # type: ignore[arg-type]
    for number, view in enumerate(views):
        bright = torch.nn.functional.avg_pool2d(view[None], 16).mean(1)
        wanted = torch.nn.functional.interpolate(
            torch.sigmoid(3 * bright)[None], (4, 8), mode='bilinear'
        )
        rows = slice(4 * number, 4 * number + 4)
        torch.testing.assert_close(maps[0, 0, rows], wanted[0, 0])
