# SPDX-License-Identifier: Apache-2.0
"""Rebuild the planner's observations from a bag, at the world model's rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from vidplan_core.data.observation import Observation
from vidplan_core.data.readings import (
    check_image,
    closedness,
    convert_own,
    joint_values,
    pose_arrays,
    seconds,
)
from vidplan_core.errors import ObservationError
from vidplan_core.geometry.camera_layout import CameraLayout
from vidplan_core.geometry.fk import flange_pose
from vidplan_core.geometry.robot import RobotModel
from vidplan_core.geometry.robot_files import default_robot
from vidplan_core.geometry.se3 import matrix_to_quaternion
from vidplan_eval.bags.recording import GRIPPER, JOINTS, OBSERVATION, cameras, sensors
from vidplan_eval.bags.rosbag import Bag, BagError


@dataclass(frozen=True)
class BagSource:
    """How the robot of a bag is read; the defaults are those of the stitcher.

    Attributes:
        robot: whose joints and gripper they are.
        max_skew_s: largest difference between the stamps of the cameras.
        max_joint_gap_s: largest distance from the images to the nearest joint state.
    """

    robot: RobotModel = field(default_factory=default_robot)
    max_skew_s: float = 0.07
    max_joint_gap_s: float = 0.05


@dataclass(frozen=True)
class Track:
    """A signal over time: stamps (K,) in s, increasing, and values (K, n)."""

    stamps_s: np.ndarray
    values: np.ndarray

    def gap_s(self, time_s: float) -> float:
        """Distance to the nearest sample."""
        return float(np.abs(self.stamps_s - time_s).min())

    def at(self, time_s: float) -> np.ndarray:
        """Values (n,) at a time, interpolated."""
        return np.array([np.interp(time_s, self.stamps_s, column) for column in self.values.T])


def read_observations(
    bag: Bag, layout: CameraLayout, period_s: float, source: BagSource | None = None
) -> list[Observation]:
    """Return one observation per model frame, oldest first; frames without one are left out.

    Cameras and joint states are preferred; a bag without them may hold observations instead.

    Raises:
        BagError: neither is there (missing topics are named), or nothing fits together.
    """
    source = source or BagSource()
    if sees_sensors(bag, layout.views):
        observations = _from_sensors(bag, layout, period_s, source)
    else:
        observations = _from_observations(bag, layout, period_s)
    if not observations:
        raise BagError(
            f'{bag.path}: no moment has an image of every camera within {source.max_skew_s} s '
            f'and a joint state within {source.max_joint_gap_s} s'
        )
    return observations


def sees_sensors(bag: Bag, views: Sequence[str]) -> bool:
    """Return whether a bag has states and cameras of these views; False: observations instead.

    Raises:
        BagError: it has neither; the missing topics are named.
    """
    roles = sensors(views)
    if all(bag.count(role) for role in roles):
        return True
    if not bag.count(OBSERVATION):
        bag.require(roles)
    return False


def grid(stamps_s: np.ndarray, period_s: float) -> np.ndarray:
    """Return indices of the stamps nearest to every whole period since the first one.

    Periods without a stamp within a quarter of a period are left out.
    """
    wanted = np.arange(stamps_s[0], stamps_s[-1] + 0.25 * period_s, period_s)
    nearest = np.abs(stamps_s[None] - wanted[:, None]).argmin(axis=1)
    return nearest[np.abs(stamps_s[nearest] - wanted) <= 0.25 * period_s + 1e-9]


def _from_sensors(
    bag: Bag, layout: CameraLayout, period_s: float, source: BagSource
) -> list[Observation]:
    arm, gripper = _read_arm(bag, source), _read_gripper(bag, source)
    roles = cameras(layout.views)
    stamps = _camera_stamps(bag, roles)
    first = roles[0]
    moments = []
    for index in grid(stamps[first], period_s):
        time_s = stamps[first][index]
        chosen = {role: _nearest(stamps[role], time_s) for role in roles}
        skew_s = max(chosen.values()) - min(chosen.values())
        oldest_s = min(chosen.values())
        if skew_s <= source.max_skew_s and arm.gap_s(oldest_s) <= source.max_joint_gap_s:
            moments.append(chosen)
    images = _images(bag, roles, moments)
    return [
        _observation(
            layout,
            {_view(role): images[role, at_s] for role, at_s in chosen.items()},
            min(chosen.values()),
            arm.at(min(chosen.values())),
            float(gripper.at(min(chosen.values()))[0]),
            source.robot,
        )
        for chosen in moments
        if all((role, at_s) in images for role, at_s in chosen.items())
    ]


def _observation(
    layout: CameraLayout,
    views: dict[str, np.ndarray],
    stamp_s: float,
    state: np.ndarray,
    closed: float,
    robot: RobotModel,
) -> Observation:
    q, dq = np.split(state, 2)
    position, rotation = flange_pose(torch.from_numpy(q), robot)
    return Observation(
        stamp_s=float(stamp_s),
        image=layout.stitch(views),
        q=q,
        dq=dq,
        closedness=closed,
        position=position.numpy(),
        quaternion=matrix_to_quaternion(rotation).numpy(),
    )


def _view(role: str) -> str:
    return role.partition('/')[0]


def _nearest(stamps_s: np.ndarray, time_s: float) -> float:
    return float(stamps_s[np.abs(stamps_s - time_s).argmin()])


def _camera_stamps(bag: Bag, roles: Sequence[str]) -> dict[str, np.ndarray]:
    stamps: dict[str, set[float]] = {role: set() for role in roles}
    for role, _, message in bag.messages(roles):
        stamps[role].add(seconds(message.header.stamp))
    return {role: np.array(sorted(found)) for role, found in stamps.items()}


def _images(
    bag: Bag, roles: Sequence[str], moments: Sequence[dict[str, float]]
) -> dict[tuple[str, float], np.ndarray]:
    wanted = {item for chosen in moments for item in chosen.items()}
    images = {}
    for role, _, message in bag.messages(roles):
        key = (role, seconds(message.header.stamp))
        if key in wanted:
            try:
                check_image(message)
            except ObservationError as error:
                raise BagError(
                    f'{bag.path}: {bag.topic(role)} at {key[1]:.3f} s: {error}'
                ) from None
            images[key] = convert_own(message)
    return images


def _read_arm(bag: Bag, source: BagSource) -> Track:
    rows = {}
    names = source.robot.joint_names
    for _, _, message in bag.messages([JOINTS]):
        if not set(names) & set(message.name):
            continue  # another device on the same topic
        try:
            q, dq = (joint_values(message, names, f) for f in ('position', 'velocity'))
        except ObservationError as error:
            raise BagError(f'{bag.path}: {bag.topic(JOINTS)}: {error}') from None
        rows[seconds(message.header.stamp)] = np.concatenate([q, dq])
    return _track(bag, JOINTS, rows, names)


def _read_gripper(bag: Bag, source: BagSource) -> Track:
    rows = {}
    gripper = source.robot.gripper
    ends = gripper.open_position, gripper.closed_position
    for _, _, message in bag.messages([GRIPPER]):
        try:
            value = closedness(message, gripper.joints, *ends)
        except ObservationError as error:
            raise BagError(f'{bag.path}: {bag.topic(GRIPPER)}: {error}') from None
        rows[seconds(message.header.stamp)] = np.array([value])
    return _track(bag, GRIPPER, rows, gripper.joints)


def _track(bag: Bag, role: str, rows: dict[float, np.ndarray], names: Sequence[str]) -> Track:
    if not rows:
        raise BagError(f'{bag.path}: {bag.topic(role)} has no state of {", ".join(names)}')
    stamps = sorted(rows)
    return Track(np.array(stamps), np.stack([rows[stamp_s] for stamp_s in stamps]))


def _from_observations(bag: Bag, layout: CameraLayout, period_s: float) -> list[Observation]:
    found = {}
    for _, _, message in bag.messages([OBSERVATION]):
        stamp_s = seconds(message.header.stamp)
        found[stamp_s] = _stitched(bag, message, layout, stamp_s)
    stamps = np.array(sorted(found))
    return [found[stamps[index]] for index in grid(stamps, period_s)]


def _stitched(bag: Bag, message: Any, layout: CameraLayout, stamp_s: float) -> Observation:
    try:
        check_image(message.image)
    except ObservationError as error:
        raise BagError(f'{bag.path}: observation at {stamp_s:.3f} s: {error}') from None
    pixels = convert_own(message.image)
    views = tuple(message.views)
    if views != layout.views or pixels.shape != layout.shape:
        raise BagError(
            f'{bag.path}: observations of views {views} with shape {pixels.shape}; the world '
            f'model sees {layout.views} with shape {layout.shape}'
        )
    (position,), (quaternion,) = pose_arrays([message.flange_pose])
    return Observation(
        stamp_s=stamp_s,
        image=pixels,
        q=np.array(message.joint_positions),
        dq=np.array(message.joint_velocities),
        closedness=float(message.gripper_closedness),
        position=position,
        quaternion=quaternion,
    )
