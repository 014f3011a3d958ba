# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import array
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest

pytest.importorskip('sensor_msgs', reason='needs ROS 2')

from builtin_interfaces.msg import Time
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image

from vidplan.ros.images import (
    convert_own,
    image_to_rgb,
    load_cv_bridge,
    picture_to_rgb,
    to_image,
)
from vidplan_core.data.image_bytes import read_image
from vidplan_core.errors import ObservationError

# One pixel of red 10, green 20, blue 30 (and opacity 255).
PIXELS = {
    'rgb8': [10, 20, 30],
    'bgr8': [30, 20, 10],
    'rgba8': [10, 20, 30, 255],
    'bgra8': [30, 20, 10, 255],
}


def message_of(encoding: str, pixel: list[int], padding: int = 0, rows: int = 2) -> Image:
    row = pixel * 3 + [77] * padding
    return Image(
        height=rows, width=3, encoding=encoding, step=len(row), data=array.array('B', row * rows)
    )


@pytest.mark.parametrize('padding', [0, 5], ids=['tight', 'padded'])
@pytest.mark.parametrize('big_endian', [0, 1])
@pytest.mark.parametrize('encoding', PIXELS)
def test_colour_encodings(encoding: str, padding: int, big_endian: int) -> None:
    message = message_of(encoding, PIXELS[encoding], padding)
    message.is_bigendian = big_endian
    rgb = image_to_rgb(message)
    assert rgb.dtype == np.uint8
    assert rgb.shape == (2, 3, 3)
    assert (rgb == [10, 20, 30]).all()
    assert rgb.flags.writeable


def test_grey_becomes_three_equal_channels() -> None:
    assert (image_to_rgb(message_of('mono8', [9], padding=2)) == 9).all()


def broken(**changes: object) -> Image:
    message = message_of('rgb8', PIXELS['rgb8'])
    for name, value in changes.items():
        setattr(message, name, value)
    return message


@pytest.mark.parametrize(
    ('message', 'says'),
    [
        (broken(encoding='yuv444'), "'yuv444' is not one of rgb8"),
        (broken(encoding='yuv422'), 'the width must be even; it is 3'),
        (broken(encoding=''), 'is not one of'),
        (broken(height=0), 'must be above 0'),
        (broken(step=8), 'take 9 bytes'),
        (broken(height=3), '18 bytes of data'),
        (broken(data=array.array('B')), '0 bytes of data'),
    ],
    ids=['encoding', 'odd width', 'no encoding', 'empty', 'short step', 'short data', 'no data'],
)
def test_wrong_images_are_refused(message: Image, says: str) -> None:
    with pytest.raises(ObservationError, match=says):
        image_to_rgb(message)


def test_round_trip() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    message = to_image(pixels[:, ::-1], frame_id='left_optical_frame')
    assert message.header.frame_id == 'left_optical_frame'
    assert message.step == 21
    np.testing.assert_array_equal(image_to_rgb(message), pixels[:, ::-1])


def test_serialised_images_are_read_as_messages_are() -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    message = to_image(pixels, Time(sec=3, nanosec=4), 'left_optical_frame')
    read = read_image(serialize_message(message))
    assert (read.header.stamp, read.header.frame_id) == ((3, 4), 'left_optical_frame')
    np.testing.assert_array_equal(picture_to_rgb(read), pixels)


def test_float_map() -> None:
    values = np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3)
    message = to_image(values)
    assert (message.encoding, message.step) == ('32FC1', 12)
    np.testing.assert_array_equal(np.frombuffer(message.data, np.float32).reshape(2, 3), values)


@pytest.mark.parametrize(
    'pixels',
    [np.zeros((2, 2, 3), np.float64), np.zeros((2, 2, 4), np.uint8), np.zeros(3, np.uint8)],
)
def test_other_arrays_are_refused(pixels: np.ndarray) -> None:
    with pytest.raises(ObservationError, match='is no image'):
        to_image(pixels)


@pytest.mark.parametrize('encoding', [*PIXELS, 'mono8'])
def test_cv_bridge_agrees(encoding: str) -> None:
    bridge = load_cv_bridge()
    if bridge is None:
        pytest.skip('cv_bridge is not installed here, or does not work with this numpy')
    channels = len(PIXELS.get(encoding, [0]))
    noise = np.random.default_rng(2).integers(0, 256, (4, 5 * channels + 3), dtype=np.uint8)
    message = Image(
        height=4,
        width=5,
        encoding=encoding,
        step=noise.shape[1],
        data=array.array('B', noise.tobytes()),
    )
    np.testing.assert_array_equal(bridge(message), convert_own(message))


@pytest.mark.parametrize(('converted', 'usable'), [
    ([[[3, 2, 1]]], True), ([[[1, 2, 3]]], False), (AttributeError('_ARRAY_API'), False)],
    ids=['works', 'wrong', 'broken'])  # fmt: skip
def test_cv_bridge_is_used_only_if_it_works(
    monkeypatch: pytest.MonkeyPatch, converted: Any, usable: bool
) -> None:
    class CvBridge:
        def imgmsg_to_cv2(self, message: Image, encoding: str) -> np.ndarray:
            if isinstance(converted, Exception):
                raise converted
            return np.array(converted, np.uint8)

    module = ModuleType('cv_bridge')
    module.CvBridge = CvBridge  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, 'cv_bridge', module)
    assert (load_cv_bridge() is not None) == usable
