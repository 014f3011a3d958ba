# SPDX-License-Identifier: Apache-2.0
"""A small thing lies where the camera on the hand sees it, if the others do not disagree."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.fakes.tiny import down
from tests.fakes.tiny_scorer import TinyScorer
from vidplan_core.data.action import PoseChunk
from vidplan_core.geometry.camera import load_cameras
from vidplan_core.geometry.fk import tcp_position
from vidplan_core.heads.grounding import InstructionGrounding
from vidplan_core.planner.target.from_hand import LIES_M, placed_from_hand
from vidplan_core.planner.target.locating import TargetLocator

FILE = Path(__file__).resolve().parents[4] / 'models' / 'cell' / 'cameras.json'
CAMERAS = load_cameras(FILE, ('left', 'right', 'wrist'))
POSES = PoseChunk(torch.tensor([[[0.5, 0.0, 0.25]]]), down()[None, None], torch.zeros(1, 1))
TOOL = tcp_position(POSES.position[0, 0], POSES.rotation[0, 0])
LIES = torch.tensor([0.52, 0.01, LIES_M])
LOCATOR = TargetLocator(TinyScorer(), 0.4, CAMERAS, 0.03)


def grounding(bright: float = 1.0, **changed: Any) -> InstructionGrounding:
    """The hand's camera sees the thing at LIES; all views together place it 1.5 cm beside."""
    maps = torch.zeros(1, 2, 3, 48, 80)
    place = CAMERAS['wrist'].project(LIES, POSES.position[0, 0], POSES.rotation[0, 0])
    x, y = int(place[0] * 80), int(place[1] * 48)
    maps[0, 0, 2, y, x] = bright
    places = torch.tensor([[[0.535, 0.01, 0.02, 1.0], [0.6, -0.2, 0.03, 1.0]]])
    found = InstructionGrounding(torch.zeros(1, 3), torch.zeros(1), places, maps)
    return replace(found, **changed)


def test_it_lies_on_the_table_under_the_pixel() -> None:
    found = placed_from_hand(LOCATOR, grounding(), POSES, TOOL, 0.0)
    assert found.places is not None
    torch.testing.assert_close(found.places[0, 0, :2], LIES[:2], atol=0.006, rtol=0)
    assert found.places[0, 0, 2:].tolist() == pytest.approx([0.02, 1.0])


def moved(x: float, z: float) -> InstructionGrounding:
    given = grounding()
    assert given.places is not None
    given.places[0, 0, [0, 2]] = torch.tensor([x, z])
    return given


@pytest.mark.parametrize(
    ('given', 'grip', 'above_m'),
    [
        (grounding(bright=0.42), 0.0, 0.0),  # hardly seen
        (moved(0.60, 0.02), 0.0, 0.0),  # the other views see it elsewhere
        (moved(0.535, 0.06), 0.0, 0.0),  # it stands, or hangs
        (grounding(), 1.0, 0.0),
        (grounding(), 0.0, 0.3),  # far below
        (grounding(places=None), 0.0, 0.0),
        (grounding(seen=None), 0.0, 0.0),
    ],
)
def test_else_it_lies_where_all_views_place_it(
    given: InstructionGrounding, grip: float, above_m: float
) -> None:
    tool = TOOL + torch.tensor([0.0, 0.0, above_m])
    assert placed_from_hand(LOCATOR, given, POSES, tool, grip) is given
