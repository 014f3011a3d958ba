# SPDX-License-Identifier: Apache-2.0
"""A grasp head looks where the target is thought to be, and says how to turn the hand."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.tiny import down, tiny_config
from tests.fakes.tiny_scorer import TinyScorer
from vidplan_core.data.action import PoseChunk
from vidplan_core.errors import ModelError
from vidplan_core.geometry.camera import load_cameras
from vidplan_core.heads.detectors.crops import SIDE
from vidplan_core.heads.detectors.grasp.inputs import grasp_input
from vidplan_core.heads.detectors.grasp.network import (
    GraspConfig,
    GraspHead,
    Grasps,
    load_grasp,
    save_grasp,
    turn_to,
)
from vidplan_core.heads.grounding import InstructionGrounding
from vidplan_core.heads.value import text_probe
from vidplan_core.planner.target.handled import believed_grasp, placed_at

FILE = Path(__file__).resolve().parents[3] / 'models' / 'cell' / 'cameras.json'
CAMERAS = list(load_cameras(FILE, ('left', 'right', 'wrist')).values())
PLACE = (0.5, 0.1, 0.03)
POSES = PoseChunk(torch.tensor([[[0.45, 0.05, 0.25]]]), down()[None, None], torch.zeros(1, 1))
CONFIG = GraspConfig(widths=(8, 8, 8), features=8)


def grounding(certainty: float = 1.0) -> InstructionGrounding:
    places = torch.tensor([[[*PLACE, certainty], [0.55, -0.1, 0.03, 1.0]]])
    maps = torch.zeros(1, 2, 3, 12, 20)
    return InstructionGrounding(
        torch.zeros(1, 3), maps[:, :, 0], places, maps, torch.zeros(1, 2, 4)
    )


def grasps(place: tuple[float, float, float] = PLACE, spread_m: float = 0.004) -> Grasps:
    return Grasps(torch.tensor([place]), torch.tensor([[1.0, 0.0]]), torch.tensor([spread_m]))


@pytest.mark.parametrize('camera', [0, 1, 2])
def test_the_middle_of_a_crop_shows_the_target(camera: int) -> None:
    point = torch.tensor([PLACE])
    place = CAMERAS[camera].project(point, POSES.position[:, 0], POSES.rotation[:, 0])[0]
    views = torch.full((1, 3, 3, 96, 160), 0.5)
    x, y = int(place[0] * 160), int(place[1] * 96)
    views[0, camera, :, max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2] = 1.0
    crops = grasp_input(CAMERAS, views, grounding(), POSES).crops[0, camera]
    middle = crops[0, SIDE // 2 - 2 : SIDE // 2 + 2, SIDE // 2 - 2 : SIDE // 2 + 2]
    inside = bool(crops[-1, SIDE // 2, SIDE // 2])
    assert (float(middle.max()) > 0.2) == inside


def test_grasps_are_relative_to_the_place_and_saved_as_they_are(tmp_path: Path) -> None:
    torch.manual_seed(0)
    head = GraspHead(replace(CONFIG, text_probe=text_probe(TinyScorer()))).eval()
    save_grasp(tmp_path / 'grasp', head)
    loaded = load_grasp(tmp_path)
    loaded.config.check_fits(replace(tiny_config(), cameras=tuple(CAMERAS)), TinyScorer())
    views = torch.rand(1, 3, 3, 96, 160)
    found = [some.seen_by(CAMERAS, None)(views, grounding(), POSES) for some in (head, loaded)]
    torch.testing.assert_close(found[0].place, found[1].place)
    assert float((found[0].place - torch.tensor(PLACE)).norm()) < 0.05
    assert found[0].closing.shape == (1, 2)
    assert float(found[0].spread_m) > 0.0


@pytest.mark.parametrize('missing', ['places', 'seen', 'axes'])
def test_what_was_not_looked_up_is_an_error(missing: str) -> None:
    with pytest.raises(ModelError, match='known cameras'):
        grasp_input(
            CAMERAS, torch.rand(1, 3, 3, 96, 160), replace(grounding(), **{missing: None}), POSES
        )


def test_another_scorer_or_other_views_are_refused() -> None:
    config = replace(CONFIG, text_probe=(9.0,) * len(text_probe(TinyScorer())))
    with pytest.raises(ModelError, match='another semantic scorer'):
        config.check_fits(replace(tiny_config(), cameras=tuple(CAMERAS)), TinyScorer())
    with pytest.raises(ModelError, match='does not fit'):
        replace(CONFIG, views=2).check_fits(tiny_config(), TinyScorer())


@settings(max_examples=50, deadline=None)
@given(st.floats(-3.0, 3.0), st.floats(-3.0, 3.0))
def test_after_the_shortest_turn_the_hand_is_turned_as_the_grasp(yaw: float, hand: float) -> None:
    doubled = torch.tensor([[math.cos(2.0 * yaw), math.sin(2.0 * yaw)]])
    grasp = replace(grasps(), closing=doubled)
    turn = float(turn_to(grasp, torch.tensor(hand)))
    assert abs(turn) <= math.pi / 2 + 1e-5
    assert math.cos(2.0 * (hand + turn - yaw)) == pytest.approx(1.0, abs=1e-4)
    assert float(turn_to(replace(grasp, closing=0.3 * doubled), torch.tensor(hand))) == 0.0


@pytest.mark.parametrize(
    ('blocked', 'turns'),
    [
        ((), {0.0}),
        ((1.5,), {0.0}),
        ((0.2,), {0.8, -0.8}),
        ((3.3,), {0.8, -0.8}),  # half a turn is the same line
        ((0.2, 0.9), {-0.8}),
        ((0.0, 0.8, -0.8), {1.5, -1.5}),
    ],
)
def test_where_no_turn_is_better_it_leads_away_from_what_was_blocked(
    blocked: tuple[float, ...], turns: set[float]
) -> None:
    round_thing = replace(grasps(), closing=torch.zeros(1, 2))
    found = round(float(turn_to(round_thing, torch.tensor(0.0), blocked)), 3)
    assert found in turns
    long_thing = turn_to(grasps(), torch.tensor(0.3), blocked)
    assert float(long_thing) == pytest.approx(-0.3, abs=1e-6)


@pytest.mark.parametrize(
    ('place', 'spread_m', 'certainty', 'believed'),
    [
        ((0.51, 0.1, 0.02), 0.004, 1.0, True),
        ((0.51, 0.1, 0.02), 0.03, 1.0, False),
        ((0.60, 0.1, 0.02), 0.004, 1.0, False),
        ((0.51, 0.1, 0.02), 0.004, 0.3, False),
    ],
)
def test_a_grasp_is_believed_where_the_target_is_seen(
    place: tuple[float, float, float], spread_m: float, certainty: float, believed: bool
) -> None:
    found = believed_grasp(grasps(place, spread_m), grounding(certainty))
    assert (found is not None) == believed


def test_a_target_is_placed_under_its_grasp_at_its_own_height() -> None:
    found = placed_at(grounding(), torch.tensor([[0.52, 0.08, 0.016]])).places
    assert found is not None
    torch.testing.assert_close(found[0, 0], torch.tensor([0.52, 0.08, PLACE[2], 1.0]))
