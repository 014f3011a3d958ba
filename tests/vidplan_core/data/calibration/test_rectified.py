# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from vidplan_core.data.calibration.lens import Lens, lens_of, load_lens
from vidplan_core.data.calibration.rectified import Rectifier
from vidplan_core.errors import ConfigError

Image = NDArray[np.uint8]

HEIGHT, WIDTH = 96, 160
FOCAL = 0.8, 1.3
CENTRE = 620.0, 372.0
LENSES = {
    'ideal': Lens.ideal(1280, 720, (0.6, 0.9)),
    'off the middle': Lens(1280, 720, (800.0, 790.0), CENTRE),
    'plumb_bob': Lens(1280, 720, (800.0, 790.0), CENTRE, 'plumb_bob',
                      (-0.2, 0.05, 0.001, -0.001, 0.0)),
    'rational_polynomial': Lens(1280, 720, (800.0, 790.0), CENTRE, 'rational_polynomial',
                                (-0.2, 0.05, 0.001, -0.001, 0.0, 0.02, 0.01, 0.0)),
    'equidistant': Lens(1280, 720, (800.0, 790.0), CENTRE, 'equidistant',
                        (0.05, -0.02, 0.01, 0.0)),
}  # fmt: skip


def scene(height: int, width: int) -> Image:
    """A smooth picture, different everywhere."""
    coarse = np.random.default_rng(0).integers(0, 256, (9, 16, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))


def by_opencv(lens: Lens, image: Image) -> Image:
    """The picture of an ideal camera of the lens's size, by OpenCV's own map, then shrunk."""
    ideal = Lens.ideal(lens.width, lens.height, FOCAL)
    args = lens.matrix, np.array(lens.distortion or (0.0,) * 4), np.eye(3), ideal.matrix
    size = lens.width, lens.height
    if lens.model == 'equidistant':
        maps = cv2.fisheye.initUndistortRectifyMap(*args, size, cv2.CV_32FC1)
    else:
        maps = cv2.initUndistortRectifyMap(*args, size, cv2.CV_32FC1)
    straight = cv2.remap(image, *maps, cv2.INTER_LINEAR)
    return np.asarray(cv2.resize(straight, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA))


@pytest.mark.parametrize('lens', LENSES.values(), ids=LENSES)
def test_pictures_are_those_of_an_ideal_camera(lens: Lens) -> None:
    image = scene(lens.height, lens.width)
    found = Rectifier(lens, HEIGHT, WIDTH, FOCAL).apply(image)
    difference = np.abs(found.astype(int) - by_opencv(lens, image))
    assert found.shape == (HEIGHT, WIDTH, 3)
    assert difference.mean() < 0.5
    assert np.quantile(difference, 0.999) <= 3


@pytest.mark.parametrize('size', [(1285, 725), (200, 120), (160, 96)], ids=str)
def test_pictures_of_any_size_are_taken(size: tuple[int, int]) -> None:
    width, height = size
    lens = Lens.ideal(width, height, FOCAL)
    image = scene(height, width)
    found = Rectifier(lens, HEIGHT, WIDTH).apply(image)
    shrunk = cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    assert np.abs(found.astype(int) - shrunk).mean() < 3.0


@pytest.mark.parametrize(
    ('lens', 'focal', 'says'),
    [
        (LENSES['ideal'], (0.3, 0.45), r'does not show 75% .*it shows all of focal: \[0\.59'),
        (Lens(1280, 720, (800.0, 790.0), (500.0, 360.0)), None, 'principal point 500, 360 of'),
    ],
    ids=['too wide', 'off the middle'],
)
def test_what_a_camera_does_not_show_is_refused(
    lens: Lens, focal: tuple[float, float] | None, says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        Rectifier(lens, HEIGHT, WIDTH, focal)


def test_a_picture_of_another_size_is_refused() -> None:
    with pytest.raises(ConfigError, match='on 1280 x 720 pixels, the pictures have 640 x 360'):
        Rectifier(LENSES['ideal'], HEIGHT, WIDTH).apply(scene(360, 640))


K = [800.0, 0.0, 640.0, 0.0, 800.0, 360.0, 0.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ('k', 'model', 'distortion', 'says'),
    [
        ([0.0] * 9, '', [], 'not calibrated'),
        (K, 'omni', [0.1], "'omni' is not one of plumb_bob, rational_polynomial, equidistant"),
        (K, 'plumb_bob', [0.1] * 3, 'has 0 or 4 or 5 coefficients, not 3'),
        (K, 'plumb_bob', [float('nan')] * 5, 'finite'),
        ([*K[:2], 1900.0, *K[3:]], 'plumb_bob', [], 'another resolution'),
        (K[:4], 'plumb_bob', [], '9 numbers, not 4'),
    ],
)  # fmt: skip
def test_a_camera_info_that_cannot_be_used(
    k: list[float], model: str, distortion: list[float], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        lens_of(1280, 720, k, model, distortion)


FILE = """
image_width: 1280
image_height: 720
camera_name: left
camera_matrix: {rows: 3, cols: 3, data: [800, 0, 620, 0, 790, 372, 0, 0, 1]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [-0.2, 0.05, 0.001, -0.001, 0]}
"""


def test_a_file_of_camera_calibration_is_read(tmp_path: Path) -> None:
    path = tmp_path / 'left.yaml'
    path.write_text(FILE)
    assert load_lens(path) == LENSES['plumb_bob']
    path.write_text(FILE.replace('camera_matrix', 'matrix'))
    with pytest.raises(ConfigError, match='left.yaml is no lens'):
        load_lens(path)
