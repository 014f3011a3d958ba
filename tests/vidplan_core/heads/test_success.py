# SPDX-License-Identifier: Apache-2.0
"""A success detector looks where a success would be seen, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.fakes.tiny import down, tiny_config
from tests.fakes.tiny_scorer import TinyScorer
from vidplan_core.data.action import PoseChunk
from vidplan_core.errors import ModelError
from vidplan_core.geometry.camera import load_cameras
from vidplan_core.geometry.fk import tcp_position
from vidplan_core.heads.detectors.crops import CHANNELS, SIDE
from vidplan_core.heads.detectors.success.inputs import NUMBERS, success_input
from vidplan_core.heads.detectors.success.network import (
    SuccessConfig,
    SuccessDetector,
    load_success,
    save_success,
)
from vidplan_core.heads.grounding import VERBS, InstructionGrounding
from vidplan_core.heads.value import text_probe
from vidplan_core.language.instruction import PICK, PLACE

FILE = Path(__file__).resolve().parents[3] / 'models' / 'cell' / 'cameras.json'
VIEWS = ('left', 'right', 'wrist')
CAMERAS = list(load_cameras(FILE, VIEWS).values())
BOWL = (0.55, -0.1, 0.03)
POSES = PoseChunk(torch.tensor([[[0.45, 0.05, 0.25]]]), down()[None, None], torch.zeros(1, 1))
TOOL = tcp_position(POSES.position[:, 0], POSES.rotation[:, 0])[0]
CONFIG = SuccessConfig(widths=(8, 8, 8), features=8)


def grounding(verb: str) -> InstructionGrounding:
    text = torch.zeros(1, 3)
    text[0, VERBS.index(verb)] = 1.0
    places = torch.tensor([[[0.5, 0.1, 0.03, 1.0], [*BOWL, 1.0]]])
    maps = torch.zeros(1, 2, 3, 12, 20)
    return InstructionGrounding(text, maps[:, :, 0], places, maps)


def with_dot(camera: int, point: torch.Tensor) -> torch.Tensor:
    """Grey views (1, 3, 3, 96, 160) of which one shows a white dot at a point."""
    views = torch.full((1, 3, 3, 96, 160), 0.5)
    place = CAMERAS[camera].project(point[None], POSES.position[:, 0], POSES.rotation[:, 0])[0]
    x, y = int(place[0] * 160), int(place[1] * 96)
    views[0, camera, :, max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2] = 1.0
    return views


@pytest.mark.parametrize('camera', [0, 1])
@pytest.mark.parametrize(('verb', 'point'), [(PLACE, torch.tensor(BOWL)), (PICK, TOOL)])
def test_the_middle_of_a_crop_shows_the_destination_or_the_tool(
    camera: int, verb: str, point: torch.Tensor
) -> None:
    found = success_input(
        CAMERAS, with_dot(camera, point), grounding(verb), POSES, torch.ones(1)
    )
    assert found.crops.shape == (1, 3, CHANNELS, SIDE, SIDE)
    assert found.numbers.shape == (1, NUMBERS)
    bright = found.crops[0, camera, 0]
    row, column = divmod(int(bright.argmax()), SIDE)
    assert abs(row - SIDE / 2) < 4  # a dot of three pixels
    assert abs(column - SIDE / 2) < 4


def test_pixels_that_a_view_does_not_have_are_marked() -> None:
    away = replace(grounding(PLACE), places=torch.tensor([[[0.5, 0.1, 0.0, 1.0], [5.0, 5, 0, 1]]]))
    found = success_input(CAMERAS, with_dot(0, TOOL), away, POSES, torch.ones(1))
    assert not found.crops[0, 0].any()


def test_it_needs_places_and_maps() -> None:
    for lacking in ('places', 'seen'):
        bare = replace(grounding(PLACE), **{lacking: None})  # type: ignore[arg-type]
        with pytest.raises(ModelError, match='known cameras'):
            success_input(CAMERAS, with_dot(0, TOOL), bare, POSES, torch.ones(1))


def test_it_comes_back_from_disk_and_is_calibrated(tmp_path: Path) -> None:
    torch.manual_seed(0)
    detector = SuccessDetector(replace(CONFIG, scale=2.0, shift=-1.0)).eval()
    detector.requires_grad_(False)
    save_success(tmp_path / 'success', detector)
    loaded = load_success(tmp_path)
    inputs = success_input(
        CAMERAS, with_dot(1, TOOL), grounding(PICK), POSES, torch.ones(1)
    )
    expected = torch.sigmoid(2.0 * detector(inputs) - 1.0)
    torch.testing.assert_close(loaded.probability(inputs), expected)
    seen = loaded.seen_by(CAMERAS)(with_dot(1, TOOL), grounding(PICK), POSES, 1.0)
    assert seen == pytest.approx(float(expected[0]), abs=1e-4)


def test_it_refuses_other_models() -> None:
    scorer, model = TinyScorer(), replace(tiny_config(), cameras=tuple(CAMERAS))
    config = replace(CONFIG, text_probe=text_probe(scorer))  # type: ignore[arg-type]
    config.check_fits(model, scorer)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match='another semantic scorer'):
        replace(config, text_probe=(9.0,) * len(config.text_probe)).check_fits(
            model, scorer  # type: ignore[arg-type]
        )  # fmt: skip
    with pytest.raises(ModelError, match='2 views'):
        replace(config, views=2).check_fits(model, scorer)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match='widths'):
        SuccessConfig(widths=(8, 7, 8))
