# SPDX-License-Identifier: Apache-2.0
"""Sensor messages of any recording as the graph expects them: topics, types, joint names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from vidplan_core.errors import VidPlanError
from vidplan_core.geometry.robot import RobotModel
from vidplan_eval.bags.bag_types import typestore
from vidplan_eval.bags.guessing import IMAGE_TYPES, JOINT_TYPE, FoundSensors
from vidplan_eval.bags.pictures import picture
from vidplan_eval.bags.recording import GRIPPER, JOINTS, cameras
from vidplan_eval.bags.rosbag import Bag
from vidplan_eval.bags.sensor_map import SensorMap
from vidplan_eval.bags.storage.stored import StoredMessage
from vidplan_eval.bags.tracks import arm_row, gripper_row


def played(
    bag: Bag, found: FoundSensors, views: Sequence[str], robot: RobotModel
) -> Iterator[tuple[str, int, bytes]]:
    """Yield (role, log time in ns, CDR bytes) of the sensors in order of time.

    A recording of ours is passed on byte for byte; another one is translated, and what cannot be
    is skipped and counted by the bag.

    Args:
        bag: open for reading.
        found: where its sensors are.
        views: of the graph's cameras.
        robot: whose joint names and gripper the graph expects.
    """
    own = not found.guessed and found.sensors.joints.names == robot.joint_names
    translator = None if own else _Translator(found.sensors, robot)
    roles = _roles(found.sensors, views)
    for stored in bag.stored(roles):
        for role in roles[stored.channel.topic]:
            data = stored.data if translator is None else translator(bag, role, stored)
            if data is not None:
                yield role, stored.log_ns, data


def _roles(sensors: SensorMap, views: Sequence[str]) -> dict[str, list[str]]:
    """Roles by topic: arm and gripper may share one."""
    roles: dict[str, list[str]] = {}
    for view, role in zip(views, cameras(views), strict=True):
        roles.setdefault(sensors.cameras[view], []).append(role)
    roles.setdefault(sensors.joints.topic, []).append(JOINTS)
    if sensors.gripper is not None:
        roles.setdefault(sensors.gripper.topic, []).append(GRIPPER)
    return roles


class _Translator:
    def __init__(self, sensors: SensorMap, robot: RobotModel) -> None:
        self._sensors, self._robot = sensors, robot
        self._recorded = sensors.model()
        self._store = typestore()

    def __call__(self, bag: Bag, role: str, stored: StoredMessage) -> bytes | None:
        message = bag.decoded(stored)
        if message is None:
            return None
        try:
            return self._translated(role, message, stored)
        except (VidPlanError, AttributeError) as error:
            bag.skip(stored.channel.topic, str(error))
            return None

    def _translated(self, role: str, message: Any, stored: StoredMessage) -> bytes | None:
        if role == JOINTS:
            row = arm_row(message, self._sensors.joints, self._recorded)
            if row is None:
                return None
            return self._joint_state(message, stored, self._robot.joint_names, row[:7], row[7:])
        if role == GRIPPER:
            return self._gripper(message, stored)
        return self._image(message, picture(message, stored.channel.type_name))

    def _gripper(self, message: Any, stored: StoredMessage) -> bytes | None:
        assert self._sensors.gripper is not None
        row = gripper_row(message, self._sensors.gripper)
        if row is None:
            return None
        hand = self._robot.gripper
        position = hand.open_position + row[0] * (hand.closed_position - hand.open_position)
        positions = np.full(len(hand.joints), position)
        return self._joint_state(message, stored, hand.joints, positions, np.zeros_like(positions))

    def _joint_state(
        self,
        message: Any,
        stored: StoredMessage,
        names: Sequence[str],
        position: np.ndarray,
        velocity: np.ndarray,
    ) -> bytes:
        kind = self._store.types[JOINT_TYPE]
        state: Any = kind(
            header=self._header(message, stored),
            name=list(names),
            position=position,
            # The stitcher takes a missing velocity for a fault; at rest it is right.
            velocity=np.nan_to_num(velocity),
            effort=np.zeros(0),
        )
        return bytes(self._store.serialize_cdr(state, JOINT_TYPE))

    def _header(self, message: Any, stored: StoredMessage) -> Any:
        stamp = getattr(getattr(message, 'header', None), 'stamp', None)
        sec, nanosec = divmod(stored.log_ns, 10**9)
        types = self._store.types
        time: Any = types['builtin_interfaces/msg/Time'](
            sec=int(stamp.sec if stamp else sec), nanosec=int(stamp.nanosec if stamp else nanosec)
        )
        return types['std_msgs/msg/Header'](stamp=time, frame_id='')

    def _image(self, message: Any, pixels: np.ndarray) -> bytes:
        height, width = pixels.shape[:2]
        image: Any = self._store.types[IMAGE_TYPES[0]](
            header=message.header,
            height=height,
            width=width,
            encoding='rgb8',
            is_bigendian=0,
            step=3 * width,
            data=np.ascontiguousarray(pixels).reshape(-1),
        )
        return bytes(self._store.serialize_cdr(image, IMAGE_TYPES[0]))
