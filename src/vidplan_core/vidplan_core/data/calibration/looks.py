# SPDX-License-Identifier: Apache-2.0
"""Looks at a tag, out of what a camera saw while an arm went from pose to pose."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from vidplan_core.data.calibration.hand_eye import TagLook
from vidplan_core.data.calibration.tag import Tag
from vidplan_core.errors import ConfigError
from vidplan_core.geometry.camera_layout import Image
from vidplan_core.geometry.fk import flange_pose
from vidplan_core.geometry.robot import RobotModel

Array = NDArray[np.float64]

#: File of a folder of pictures that says where the joints were.
JOINTS_FILE = 'joints.csv'
_COLUMNS = ('picture', *(f'q{number}' for number in range(1, 8)))
# An arm whose joints differ by less than this from picture to picture rests, rad.
_RESTING_RAD = 0.002
# Poses that differ by less than this in every joint are one, rad.
_SAME_RAD = 0.03


class LookCollector:
    """Keeps one look of every pose in which the arm rested and the tag was found.

    Attributes:
        looks: those that were kept.
        passed: how many pictures were not, by reason: moving, same, no tag.
    """

    def __init__(self, tag: Tag, robot: RobotModel) -> None:
        """Look for a tag that an arm moves, or that it moves a camera around."""
        self.looks: list[TagLook] = []
        self.passed: Counter[str] = Counter()
        self._tag, self._robot = tag, robot
        self._kept: list[Array] = []
        self._last: Array | None = None

    def follow(self, image: Image, q: Array) -> None:
        """Take the next picture of a recording, while the arm may move.

        Args:
            image: uint8 (height, width, 3), rgb.
            q: joint angles (7,) at that time, rad.
        """
        last, self._last = self._last, q
        if last is None or np.abs(q - last).max() > _RESTING_RAD:
            self.passed['moving'] += 1
            return
        self.add(image, q)

    def add(self, image: Image, q: Array) -> None:
        """Take a picture of a resting arm; arguments as of `follow`."""
        if any(np.abs(q - kept).max() < _SAME_RAD for kept in self._kept):
            self.passed['same'] += 1
            return
        corners = self._tag.find(image)
        if corners is None:
            self.passed['no tag'] += 1
            return
        self._kept.append(q)
        position, rotation = flange_pose(torch.from_numpy(q), self._robot)
        flange = np.eye(4)
        flange[:3, :3], flange[:3, 3] = rotation.numpy(), position.numpy()
        self.looks.append(TagLook(flange, corners))


def read_folder(folder: Path) -> Iterator[tuple[Image, Array]]:
    """Yield pictures, rgb uint8 (height, width, 3), and joint angles (7,), rad.

    Raises:
        ConfigError: the folder has no joints.csv, or a line or picture of it cannot be read.
    """
    path = folder / JOINTS_FILE
    try:
        with path.open(newline='', encoding='utf-8') as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise ConfigError(
            f'{path} is missing: a table with the columns {", ".join(_COLUMNS)} (rad)'
        ) from error
    for number, row in enumerate(rows, 2):
        try:
            q = np.array([float(row[name]) for name in _COLUMNS[1:]])
            name = row[_COLUMNS[0]]
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(
                f'{path}, line {number}: columns must be {", ".join(_COLUMNS)}, angles in rad'
            ) from error
        pixels = cv2.imread(str(folder / name))
        if pixels is None:
            raise ConfigError(f'{path}, line {number}: {name} is no picture in that folder')
        yield np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8), q
