# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from vidplan_core.data.observation import CameraSynchroniser, Observation, check_contrast
from vidplan_core.geometry.camera_files import default_layout
from vidplan_core.errors import ConfigError, ObservationError

VIEWS = default_layout().views
LAYOUT = default_layout().resized(6, 10)


def picture(seed: int, height: int = 12, width: int = 20) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def pictures() -> dict[str, np.ndarray]:
    return {view: picture(index) for index, view in enumerate(VIEWS)}


def observation(stamp_s: float, **changes: object) -> Observation:
    values = {
        'image': np.zeros(LAYOUT.shape, np.uint8),
        'q': np.zeros(7),
        'dq': np.zeros(7),
        'closedness': 0.0,
        'position': np.zeros(3),
        'quaternion': np.array([0.0, 0, 0, 1]),
    }
    return Observation(stamp_s=stamp_s, **(values | changes))


# Stitching


def test_stacks_left_right_wrist_from_the_top() -> None:
    flat = {view: np.full((12, 20, 3), 10 * i, np.uint8) for i, view in enumerate(VIEWS)}
    stitched = LAYOUT.stitch(dict(reversed(flat.items())))
    assert stitched.shape == (18, 10, 3)
    assert [int(row[0, 0]) for row in stitched[::6]] == [0, 10, 20]


def test_halving_averages_areas() -> None:
    images = pictures()
    split = LAYOUT.split(LAYOUT.stitch(images))
    for view, image in images.items():
        means = image.reshape(6, 2, 10, 2, 3).mean((1, 3))
        np.testing.assert_allclose(split[view], means, atol=0.5)


@pytest.mark.parametrize('height', [45, 42, 48], ids='{} rows'.format)
def test_large_pictures_are_averaged_within_a_level(height: int) -> None:
    image = cv2.resize(picture(5, 9, 15), (80, height))
    whole = cv2.resize(image, (10, 6), interpolation=cv2.INTER_AREA)
    fitted = LAYOUT.fit('left', {'left': image})
    np.testing.assert_allclose(fitted, whole, atol=3)
    assert abs(np.mean(fitted) - np.mean(whole)) < 0.5


def test_images_of_the_right_size_pass_unchanged() -> None:
    images = {view: picture(i, 6, 10) for i, view in enumerate(VIEWS)}
    split = LAYOUT.split(LAYOUT.stitch(images))
    for view, image in images.items():
        np.testing.assert_array_equal(split[view], image)


@pytest.mark.parametrize(
    ('wrong', 'said'),
    [
        (None, "no image of view 'right'; have"),
        (
            np.zeros((12, 20, 3), np.float32),
            "view 'right' must be uint8 rgb (0 .. 255), got float32",
        ),
        (np.full((12, 20, 3), np.nan), "view 'right' must be uint8"),
        (
            np.zeros((12, 20), np.uint8),
            "view 'right' must have shape (height, width, 3), got (12, 20)",
        ),
        (np.zeros((12, 20, 4), np.uint8), 'got (12, 20, 4)'),
        (np.zeros((0, 20, 3), np.uint8), 'got (0, 20, 3)'),
        ([[1, 2, 3]], "view 'right' must be an array, got list"),
    ],
    ids=['missing', 'float', 'nan', 'grey', 'rgba', 'empty', 'list'],
)
def test_wrong_image_is_named(wrong: object, said: str) -> None:
    images: dict = pictures()
    if wrong is None:
        del images['right']
    else:
        images['right'] = wrong
    with pytest.raises(ObservationError) as caught:
        LAYOUT.stitch(images)
    assert said in str(caught.value)


def test_split_wants_the_stitched_shape() -> None:
    with pytest.raises(ObservationError, match=r'\(18, 10, 3\), got \(6, 10, 3\)'):
        LAYOUT.split(np.zeros((6, 10, 3), np.uint8))


@pytest.mark.parametrize(
    'change',
    [
        {'views': ()},
        {'views': ('a', 'a')},
        {'views': tuple('abcde')},
        {'views': ('a b',)},
        {'height': 0},
        {'topics': {'front': '/front'}},
    ],
    ids=['none', 'twice', 'five', 'space', 'height', 'topic'],
)
def test_senseless_layout_is_refused(change: dict) -> None:
    with pytest.raises(ConfigError):
        replace(LAYOUT, **change)


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        ({'q': np.zeros(6)}, 'q must be 7 finite numbers'),
        ({'dq': np.full(7, np.nan)}, 'dq must be 7 finite numbers'),
        ({'quaternion': np.zeros(3)}, 'quaternion must be 4'),
        ({'closedness': np.nan}, 'closedness must be finite'),
    ],
)
def test_wrong_observation_is_named(change: dict, said: str) -> None:
    with pytest.raises(ObservationError, match=said):
        observation(0.0, **change)


# Synchronising


def synchroniser(**changes: object) -> CameraSynchroniser:
    return CameraSynchroniser(**({'views': VIEWS, 'max_skew_s': 0.03, 'max_age_s': 0.2} | changes))


def test_takes_the_newest_set_within_the_skew() -> None:
    cameras = synchroniser()
    for frame in range(4):
        for offset, view in zip((0.0, 0.01, 0.02), VIEWS, strict=True):
            cameras.push(view, frame / 15 + offset, picture(frame))
    # The wrist's last image has not come: the whole set of the frame before is taken.
    cameras.push('left', 4 / 15, picture(9))
    cameras.push('right', 4 / 15 + 0.01, picture(9))
    taken = cameras.take(now_s=4 / 15 + 0.02)
    assert taken.stamp_s == pytest.approx(3 / 15)
    assert taken.skew_s == pytest.approx(0.02)
    for view in VIEWS:
        np.testing.assert_array_equal(taken.images[view], picture(3))


@pytest.mark.parametrize(
    ('stamps', 'now_s', 'said'),
    [
        ({'left': 1.0, 'right': 1.0}, 1.0, 'no image yet of: wrist'),
        ({'left': 1.0, 'right': 0.5, 'wrist': 1.0}, 1.0, "view 'right' is stale: .* 0.500 s old"),
        ({'left': 1.0, 'right': 1.0, 'wrist': 1.05}, 1.06, "'left' and 'wrist' are 0.050 s apart"),
        (
            {'left': 9.0, 'right': 1.0, 'wrist': 1.0},
            1.0,
            "'left' is stamped 8.000 s in the future",
        ),
        ({}, 1.0, 'no image yet of: left, right, wrist'),
    ],
    ids=['missing', 'stale', 'askew', 'future', 'nothing'],
)
def test_barrier_names_the_view(stamps: dict, now_s: float, said: str) -> None:
    cameras = synchroniser()
    for view, stamp_s in stamps.items():
        cameras.push(view, stamp_s, picture(0))
    with pytest.raises(ObservationError, match=said):
        cameras.take(now_s)


def test_camera_that_restarts_its_clock_starts_over() -> None:
    cameras = synchroniser()
    for view in VIEWS:
        cameras.push(view, 100.0, picture(0))
        cameras.push(view, 1.0, picture(1))
    np.testing.assert_array_equal(cameras.take(1.1).images['left'], picture(1))


@pytest.mark.parametrize(
    ('view', 'stamp_s', 'image', 'said'),
    [
        ('top', 1.0, picture(0), "unknown view 'top'"),
        ('left', np.nan, picture(0), 'stamp nan'),
        ('left', 1.0, np.zeros((4, 4)), "view 'left' must be uint8"),
    ],
)
def test_push_refuses(view: str, stamp_s: float, image: np.ndarray, said: str) -> None:
    with pytest.raises(ObservationError, match=said):
        synchroniser().push(view, stamp_s, image)


@pytest.mark.parametrize(
    'change', [{'views': ()}, {'max_skew_s': -1}, {'max_age_s': 0}, {'depth': 0}]
)
def test_senseless_barrier_is_refused(change: dict) -> None:
    with pytest.raises(ConfigError):
        synchroniser(**change)


@pytest.mark.parametrize(('height', 'width'), [(12, 20), (96, 160), (720, 1280)])
def test_an_image_that_shows_nothing_is_named(height: int, width: int) -> None:
    rng = np.random.default_rng(0)
    covered = rng.integers(10, 14, (height, width, 3), dtype=np.uint8)  # noise of a dark sensor
    with pytest.raises(ObservationError, match="view 'left' shows nothing.*is the lens covered"):
        check_contrast('left', covered, 4.0)
    check_contrast('left', covered, 0.0)
    scene = covered.copy()
    scene[: height // 3] = 90
    check_contrast('left', scene, 4.0)
