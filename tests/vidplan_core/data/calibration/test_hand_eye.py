# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from vidplan_core.data.calibration.hand_eye import CalibrationError, TagLook, calibrate
from vidplan_core.data.calibration.lens import Lens
from vidplan_core.data.calibration.tag import Tag
from vidplan_core.errors import ConfigError

Array = NDArray[np.float64]

TAG = Tag(0.06, number=3)
LENS = Lens.ideal(640, 480, (1.1, 1.1 * 640 / 480))


def pose(turn: Array, place: Array) -> Array:
    made = np.eye(4)
    made[:3, :3], made[:3, 3] = Rotation.from_rotvec(turn).as_matrix(), place
    return made


def scene(seed: int, count: int, *, on_flange: bool, tilt: float = 0.4) -> tuple[Array, Array]:
    """Return the camera's true pose, and flange poses (count, 4, 4) that show it the tag."""
    random = np.random.default_rng(seed)
    if on_flange:
        camera = pose(np.array([0.1, -0.2, 0.8]), np.array([0.06, -0.04, 0.03]))
        tag = pose(np.array([0.0, 0.1, 0.3]), np.array([0.5, 0.1, 0.0]))
    else:
        camera = pose(np.array([-1.8, 0.4, 0.3]), np.array([0.5, -0.9, 0.4]))
        tag = pose(np.array([0.2, 2.0, 0.4]), np.array([0.02, 0.01, 0.08]))
    flanges = []
    for _ in range(count):
        turn = np.array([np.pi, 0.0, 0.0])
        away = np.r_[random.uniform(-0.08, 0.08, 2), random.uniform(0.4, 0.6)]
        before = pose(turn, away) @ pose(random.uniform(-tilt, tilt, 3), np.zeros(3))
        # camera @ before is the tag in the base (or on the flange).
        if on_flange:
            flanges.append(tag @ np.linalg.inv(camera @ before))
        else:
            flanges.append(camera @ before @ np.linalg.inv(tag))
    return camera, np.stack(flanges), tag


def corners(camera: Array, flange: Array, tag: Array, lens: Lens, *, on_flange: bool) -> Array:
    """Where OpenCV projects the tag's corners to, (4, 2) pixels."""
    chain = np.linalg.inv(flange) if on_flange else flange
    seen = np.linalg.inv(camera) @ chain @ tag
    turn = Rotation.from_matrix(seen[:3, :3]).as_rotvec()
    distortion = np.array(lens.distortion or (0.0,) * 4)
    project = cv2.projectPoints
    if lens.model == 'equidistant':
        points = TAG.corners_m.reshape(-1, 1, 3)
        found = cv2.fisheye.projectPoints(points, turn, seen[:3, 3], lens.matrix, distortion)[0]
        return np.reshape(found, (4, 2))
    found = project(TAG.corners_m, turn, seen[:3, 3], lens.matrix, distortion)[0]
    return np.reshape(found, (4, 2))


LENSES = {
    'ideal': LENS,
    'plumb_bob': Lens(640, 480, (700.0, 690.0), (330.0, 228.0), 'plumb_bob',
                      (-0.3, 0.1, 0.001, -0.001, 0.0)),
    'rational': Lens(640, 480, (700.0, 690.0), (330.0, 228.0), 'rational_polynomial',
                     (-0.3, 0.1, 0.001, -0.001, 0.01, 0.02, 0.01, 0.0)),
    'equidistant': Lens(640, 480, (700.0, 690.0), (330.0, 228.0), 'equidistant',
                        (0.05, -0.02, 0.01, 0.0)),
}  # fmt: skip


@pytest.mark.parametrize('on_flange', [False, True], ids=['on a stand', 'on the flange'])
@pytest.mark.parametrize('lens', LENSES.values(), ids=LENSES)
def test_a_camera_is_found(lens: Lens, on_flange: bool) -> None:
    camera, flanges, tag = scene(0, 15, on_flange=on_flange)
    noise = np.random.default_rng(1).normal(0.0, 0.1, (15, 4, 2))
    looks = [
        TagLook(flange, corners(camera, flange, tag, lens, on_flange=on_flange) + noise[i])
        for i, flange in enumerate(flanges)
    ]
    found = calibrate(looks, TAG, lens, on_flange=on_flange)
    np.testing.assert_allclose(found.camera[:3, 3], camera[:3, 3], atol=2e-3)
    np.testing.assert_allclose(found.camera[:3, :3], camera[:3, :3], atol=4e-3)
    np.testing.assert_allclose(found.tag[:3, 3], tag[:3, 3], atol=2e-3)
    assert found.rms_px < 0.2
    assert found.spread_m < 3e-3


def test_one_wrong_look_does_little() -> None:
    camera, flanges, tag = scene(0, 15, on_flange=False)
    looks = [TagLook(f, corners(camera, f, tag, LENS, on_flange=False)) for f in flanges]
    looks[4] = TagLook(looks[4].flange, looks[4].corners + [4.0, -3.0])
    found = calibrate(looks, TAG, LENS, on_flange=False)
    np.testing.assert_allclose(found.camera[:3, 3], camera[:3, 3], atol=3e-3)
    assert found.worst_px > 3.0


@pytest.mark.parametrize(
    ('count', 'tilt', 'spoil', 'says'),
    [
        (7, 0.4, 0.0, 'found in 7 pictures of a resting arm, 8 are needed'),
        (15, 0.02, 0.0, 'too similar.*tilt the hand'),
        (15, 0.4, 60.0, 'do not fit together.*its black side 0.06 m'),
    ],
    ids=['few', 'similar', 'contradictory'],
)
def test_looks_from_which_nothing_follows(
    count: int, tilt: float, spoil: float, says: str
) -> None:
    camera, flanges, tag = scene(0, count, on_flange=False, tilt=tilt)
    random = np.random.default_rng(0)
    looks = [
        TagLook(f, corners(camera, f, tag, LENS, on_flange=False) + random.normal(0, spoil, 2))
        for f in flanges
    ]
    with pytest.raises(CalibrationError, match=says):
        calibrate(looks, TAG, LENS, on_flange=False)


@pytest.mark.parametrize('family', ['apriltag_36h11', '4x4_50'])
def test_a_tag_is_found_where_opencv_puts_it(family: str) -> None:
    tag = Tag(0.06, number=3, family=family)
    printed = tag.picture(160, 30)
    source = np.array([[30, 30], [190, 30], [190, 190], [30, 190]], np.float32) - 0.5
    target = np.array([[200.3, 150.6], [290.1, 160.4], [284.7, 251.2], [195.5, 240.8]], np.float32)
    warp = cv2.getPerspectiveTransform(source, target)
    image = cv2.warpPerspective(
        printed, warp, (640, 480), flags=cv2.INTER_AREA, borderValue=(120, 120, 120)
    )
    found = tag.find(image)
    assert found is not None
    np.testing.assert_allclose(found, target, atol=0.5)
    assert Tag(0.06, number=4, family=family).find(image) is None


@pytest.mark.parametrize(
    ('values', 'says'),
    [
        ({'family': '7x7'}, "no family of tags '7x7'; there are 4x4_50"),
        ({'number': 5000}, r'has tags 0 \.\. 586, not 5000'),
        ({'size_m': 50.0}, 'say metres'),
    ],
)
def test_an_impossible_tag(values: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Tag(**{'size_m': 0.05, **values})
