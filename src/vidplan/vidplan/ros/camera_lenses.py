# SPDX-License-Identifier: Apache-2.0
"""Lenses of the cameras that send pictures as they come, from camera_info or from files."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo

from vidplan.ros import qos
from vidplan_core.data.calibration.lens import Lens, lens_of, load_lens
from vidplan_core.data.calibration.rectified import Rectifier
from vidplan_core.errors import ConfigError, ObservationError
from vidplan_core.geometry.camera_layout import CAMERA_INFO, CameraLayout, Image


class CameraLenses:
    """Brings pictures of views whose lens is named to the geometry that models know."""

    def __init__(self, node: Node, layout: CameraLayout, *, whole: bool) -> None:
        """Read files, and listen to camera_info.

        Args:
            node: hears camera_info.
            layout: of the views.
            whole: pictures stay as they came until they are stitched, for who looks at them.

        Raises:
            ConfigError: a file is missing or wrong, or its lens shows too little.
        """
        self._layout, self._whole = layout, whole
        self._rectifiers: dict[str, Rectifier] = {}
        self._lenses: dict[str, Lens] = {}
        self._problems: dict[str, str] = {}
        for view, name in layout.lenses.items():
            if name != CAMERA_INFO:
                self._read(view, Path(name).expanduser())
                continue
            topic = info_topic(node.resolve_topic_name(layout.topic(view)))
            self._problems[view] = f'no camera_info yet on {topic}, which its lens is read from'
            listen = partial(self._on_info, view)
            node.create_subscription(CameraInfo, topic, listen, qos.CAMERA)

    def arrived(self, view: str, image: Image) -> Image:
        """Return a picture as it is to be kept, in the size of its slot unless it stays whole.

        At once, while it is in the processor's cache: of many large ones kept, none is.

        Raises:
            ObservationError: as `require` does.
        """
        self.require(view, image)
        return image if self._whole else self._fitted(view, image)

    def stitched(self, images: Mapping[str, Image]) -> Image:
        """Return the stitched views of pictures that arrived; raises as `require` does."""
        if self._whole:
            images = {view: self._fitted(view, image) for view, image in images.items()}
        return self._layout.stitch(images)

    def _fitted(self, view: str, image: Image) -> Image:
        return self._layout.fit(view, {view: self._rectified(view, image)})

    def require(self, view: str, image: Image) -> None:
        """Raise ObservationError unless a view's lens is known and that of the picture."""
        if view not in self._layout.lenses:
            return
        try:
            if view in self._problems:
                raise ConfigError(self._problems[view])
            self._lenses[view].require_size(image.shape[1], image.shape[0])
        except ConfigError as error:
            raise ObservationError(f"view '{view}': {error}") from error

    def _rectified(self, view: str, image: Image) -> Image:
        if view not in self._layout.lenses:
            return image
        self.require(view, image)
        return self._rectifiers[view].apply(image)

    def _on_info(self, view: str, message: CameraInfo) -> None:
        try:
            lens = lens_of(
                message.width, message.height, np.asarray(message.k).tolist(),
                message.distortion_model, np.asarray(message.d).tolist(),
            )  # fmt: skip
            if lens != self._lenses.get(view):
                self._take(view, lens)
        except ConfigError as error:
            self._lenses.pop(view, None)
            self._problems[view] = f'its camera_info cannot be used: {error}'
        else:
            self._problems.pop(view, None)

    def _read(self, view: str, path: Path) -> None:
        try:
            self._take(view, load_lens(path))
        except ConfigError as error:
            raise ConfigError(f"view '{view}': {error}") from error

    def _take(self, view: str, lens: Lens) -> None:
        height, width, focal = self._layout.height, self._layout.width, self._layout.focal
        self._rectifiers[view] = Rectifier(lens, height, width, focal.get(view))
        self._lenses[view] = lens


def info_topic(image_topic: str) -> str:
    """Return where a driver publishes the camera_info of a topic of pictures: beside it."""
    return image_topic.removesuffix('/compressed').rpartition('/')[0] + '/camera_info'
