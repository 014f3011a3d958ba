# SPDX-License-Identifier: Apache-2.0
"""Pictures, states and commands as DROID's policies have them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidplan_core.errors import ConfigError, ObservationError
from vidplan_core.policy_server.config import PolicyServerConfig
from vidplan_core.policy_server.droid import (
    GRIPPER,
    JOINTS,
    WRIST,
    exterior_pictures,
    letterbox,
    read_picture,
    read_state,
    request,
    without_bars,
)


@pytest.mark.parametrize(
    ('shape', 'rows', 'columns'),
    [((720, 1280), (49, 175), (0, 224)), ((96, 160), (45, 179), (0, 224)),
     ((300, 200), (0, 224), (37, 186)), ((224, 224), (0, 224), (0, 224))],
)  # fmt: skip
def test_a_picture_keeps_its_shape_within_black_bars(shape, rows, columns) -> None:
    boxed = letterbox(np.full((*shape, 3), 200, np.uint8), 224, 224)
    assert boxed.shape == (224, 224, 3)
    lit = np.zeros((224, 224), bool)
    lit[slice(*rows), slice(*columns)] = True
    np.testing.assert_array_equal(boxed.any(-1), lit)
    assert (boxed[lit] == 200).all()


def test_what_fits_is_not_touched() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    np.testing.assert_array_equal(letterbox(image, 64, 64), image)


@given(st.integers(8, 90), st.integers(8, 90), st.integers(8, 90), st.integers(8, 90))
def test_bars_are_found_again(rows: int, columns: int, height: int, width: int) -> None:
    boxed = letterbox(np.full((rows, columns, 3), 90, np.uint8), height, width)
    found = without_bars(boxed)
    assert found.all()
    shrink = max(rows / height, columns / width)
    assert found.shape[:2] == (max(1, int(rows / shrink)), max(1, int(columns / shrink)))


def test_a_dark_corner_is_no_bar() -> None:
    image = np.full((40, 40, 3), 90, np.uint8)
    image[:6] = 0  # on one side only
    assert without_bars(image).shape == (40, 40, 3)
    assert without_bars(np.zeros((5, 4, 3), np.uint8)).shape == (5, 4, 3)


def message(**changes: object) -> dict:
    picture = np.full((6, 8, 3), 40, np.uint8)
    return {**request({WRIST: picture}, np.arange(7.0), 0.25, 'words'), **changes}


def test_a_request_is_read_as_it_was_written() -> None:
    q, closedness = read_state(message())
    assert q.tolist() == list(range(7))
    assert closedness == 0.25
    assert read_picture(message(), WRIST).shape == (6, 8, 3)
    assert read_state(message(**{GRIPPER: 1.7, JOINTS: list(range(7))}))[1] == 1.0


@pytest.mark.parametrize('first', [0, 1], ids=['RoboArena', 'openpi'])
def test_exterior_cameras_are_counted_from_0_or_1(first: int) -> None:
    pictures = {
        f'observation/exterior_image_{first + k}_left': np.full((4, 4, 3), 10 + k, np.uint8)
        for k in (1, 0)
    }
    found = exterior_pictures({**message(), **pictures, 'observation/exterior_image_0_right': 0})
    assert [int(image[0, 0, 0]) for image in found] == [10, 11]


@pytest.mark.parametrize(
    'changes',
    [{JOINTS: np.zeros(6)}, {JOINTS: None}, {JOINTS: np.full(7, np.nan)}, {JOINTS: 'seven'},
     {GRIPPER: np.zeros(2)}, {GRIPPER: {}}],
)  # fmt: skip
def test_a_wrong_state_is_named(changes: dict) -> None:
    with pytest.raises(ObservationError, match='must be . finite numbers'):
        read_state(message(**changes))


@pytest.mark.parametrize(
    'image', [None, np.zeros((4, 4)), np.zeros((4, 4, 3)), np.zeros((4, 4, 4), np.uint8), [[0]]]
)
def test_a_wrong_picture_is_named(image: object) -> None:
    with pytest.raises(ObservationError, match="'observation/wrist_image_left' must be"):
        read_picture(message(**{WRIST: image}), WRIST)


def test_views_are_checked() -> None:
    config = PolicyServerConfig(second_exterior='right')
    assert list(config.views.values()) == ['left', 'right', 'wrist']
    config.check_views(('left', 'right', 'wrist'))
    with pytest.raises(ConfigError, match='is to see right; there are left, wrist'):
        config.check_views(('left', 'wrist'))
    with pytest.raises(ConfigError, match='allowed: ws://HOST:PORT'):
        PolicyServerConfig(url='127.0.0.1:8000')
