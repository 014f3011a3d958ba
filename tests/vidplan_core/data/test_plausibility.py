# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from vidplan_core.data.plausibility import PlausibilityConfig, ViewMonitor, noise_level
from vidplan_core.errors import ObservationError

PERIOD_S, STEP_M = 0.1, 0.01
Pictures = dict[str, np.ndarray]


def scene(seed: int) -> np.ndarray:
    """A still picture (96, 160, 3) of soft shapes."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(60, 200, (6, 10, 3)).astype(np.uint8)
    return cv2.resize(coarse, (160, 96), interpolation=cv2.INTER_CUBIC)


SCENES = {view: scene(seed) for seed, view in enumerate(('left', 'right', 'wrist'))}


def look(step: int) -> Pictures:
    """What the views show: an arm that moves on, and a camera that moves with it."""
    pictures = {view: still.copy() for view, still in SCENES.items()}
    for view in ('left', 'right'):
        cv2.rectangle(pictures[view], (20 + 3 * step, 10), (45 + 3 * step, 50), (250, 250, 240), -1)
    pictures['wrist'] = np.roll(pictures['wrist'], 6 * step, axis=1)
    return pictures


def first_alarm(spoil: Callable[[Pictures, int], Pictures], at: int, moving: bool = True) -> str:
    """Spoil pictures from one look on; returns what is said, '' if nothing is."""
    monitor = ViewMonitor(moving=('wrist',))
    for number in range(at + 10):
        step = number if moving else 0
        pictures = look(step)
        pictures = spoil(pictures, number) if number >= at else pictures
        place = np.array([0.4 + STEP_M * step, 0.0, 0.3])
        try:
            monitor.check(PERIOD_S * number, pictures, place, np.eye(3))
        except ObservationError as error:
            assert number >= at
            return str(error)
    return ''


def frozen(view: str) -> Callable[[Pictures, int], Pictures]:
    return lambda pictures, number: pictures | {view: look(9)[view]}


def noise(pictures: Pictures, number: int) -> Pictures:
    rng = np.random.default_rng(number)
    return pictures | {'right': rng.integers(0, 256, pictures['right'].shape).astype(np.uint8)}


def swapped(pictures: Pictures, number: int) -> Pictures:
    return pictures | {'left': pictures['right'], 'right': pictures['left']}


def moved(pictures: Pictures, number: int) -> Pictures:
    return pictures | {'left': np.roll(pictures['left'], 30, axis=1)}


@pytest.mark.parametrize('moving', [True, False])
def test_nothing_is_said_of_pictures_as_they_should_be(moving: bool) -> None:
    assert first_alarm(lambda pictures, number: pictures, 10, moving) == ''


@pytest.mark.parametrize(('spoil', 'says'), [
    (frozen('left'), "'left' is frozen"), (frozen('wrist'), "'wrist' is frozen"),
    (noise, "'right' is noise"), (swapped, 'swapped'), (moved, "'left' changed"),
])  # fmt: skip
@pytest.mark.fault('camera_frozen', 'camera_noise', 'camera_moved')
def test_what_cannot_be_is_named(spoil: Callable[[Pictures, int], Pictures], says: str) -> None:
    assert says in first_alarm(spoil, 10)


def test_a_still_picture_of_a_still_arm_is_fine() -> None:
    assert first_alarm(lambda pictures, number: look(0), 0, moving=False) == ''


def test_a_camera_that_is_put_back_is_believed_again() -> None:
    monitor = ViewMonitor()
    still, place = look(0), np.zeros(3)
    monitor.check(0.0, still, place, np.eye(3))
    for number in (1, 2):
        with pytest.raises(ObservationError):
            monitor.check(0.1 * number, moved(still, 0), place, np.eye(3))
    monitor.check(0.3, still, place, np.eye(3))
    with pytest.raises(ObservationError):
        monitor.check(0.4, moved(still, 0), place, np.eye(3))
    monitor.reset()
    monitor.check(0.5, moved(still, 0), place, np.eye(3))


def test_a_camera_that_rises_from_an_empty_table_is_not_frozen() -> None:
    monitor = ViewMonitor(moving=('wrist',))
    for number in range(8):
        grey = np.full((96, 160, 3), 120, np.uint8)
        grey[40:60, 60:90] += np.uint8(5 * (number % 2))
        monitor.check(PERIOD_S * number, {'wrist': grey}, np.array([0, 0, 0.02 * number]), np.eye(3))


@pytest.mark.parametrize(('spoilt', 'way_m', 'closed', 'doubted'), [
    (2, 0.0, 0.0, 0), (3, 0.0, 0.0, 1), (9, 0.0, 0.0, 7), (3, 0.004, 0.0, 0), (5, 0.0, 0.1, 0),
], ids=['slips past', 'stays for long', 'moved', 'the arm moves', 'the hand moves'])  # fmt: skip
def test_a_camera_on_the_arm_is_doubted_where_arm_and_hand_stand_for_several_looks(
    spoilt: int, way_m: float, closed: float, doubted: int
) -> None:
    monitor, found = ViewMonitor(moving=('wrist',)), []
    for number in range(spoilt + 2):
        spoils = 1 <= number <= spoilt
        place = np.array([way_m * number, 0.0, 0.3])
        seen = {'wrist': look(9)['wrist'] if spoils else look(0)['wrist']}
        try:
            monitor.check(PERIOD_S * number, seen, place, np.eye(3), closed * number)
        except ObservationError as error:
            found.append(str(error))
    assert len(found) == doubted


@pytest.mark.parametrize('size', [(96, 160), (720, 1280), (97, 163)], ids=str)
@pytest.mark.parametrize('sigma', [2.0, 8.0, 20.0])
def test_the_noise_of_a_picture_is_measured(sigma: float, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    grey = np.tile(np.linspace(60, 190, size[1]), (size[0], 1))
    noisy = np.clip(grey + rng.normal(0, sigma, grey.shape), 0, 255).astype(np.uint8)
    assert noise_level(noisy) == pytest.approx(sigma, rel=0.1)


def test_every_change_can_be_allowed() -> None:
    monitor = ViewMonitor(PlausibilityConfig(max_change=1.0))
    for number, pictures in enumerate((look(0), moved(look(0), 0))):
        monitor.check(0.1 * number, pictures, np.zeros(3), np.eye(3))
