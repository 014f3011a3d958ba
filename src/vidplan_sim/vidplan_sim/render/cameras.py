# SPDX-License-Identifier: Apache-2.0
"""The three cameras of the cell: names, lenses and nominal places.

Two scene cameras look at the object area from either side of its front, as on a DROID rig; the
wrist camera is fixed to the hand, ahead of the fingers, and looks along them. A scene jitters
the scene cameras by about a centimetre; the values here are the nominal ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidplan_sim.arm.kinematics import HAND_YAW_RAD

DEFAULT_SIZE = (192, 320)  # height, width in pixels


@dataclass(frozen=True)
class SceneCamera:
    """A camera on a stand, in the base frame (m, deg)."""

    position: tuple[float, float, float]
    target: tuple[float, float, float]
    vertical_fov_deg: float


@dataclass(frozen=True)
class WristCamera:
    """The camera on the hand, in the hand's frame: fingers along z, opening along y (m, rad).

    `tilt_rad` turns the optical axis from the fingers' direction towards the fingertips.
    """

    position: tuple[float, float, float] = (0.095, 0.0, 0.02)
    tilt_rad: float = 0.45
    vertical_fov_deg: float = 72.0


def _on_stand(azimuth_deg: float) -> SceneCamera:
    """A scene camera 1.5 m from the middle of the object area.

    So far away, and with so long a lens, an object's size in the picture hardly depends on where
    it lies, and the picture is filled by the object area and the gripper above it.
    """
    target = np.array([0.499, 0.0, 0.081])
    azimuth, elevation = np.radians(azimuth_deg), np.radians(22.0)
    towards = np.array([np.cos(elevation) * np.cos(azimuth),
                        np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])
    position = target + 1.5 * towards
    x, y, z = (float(v) for v in position)
    return SceneCamera((x, y, z), (0.499, 0.0, 0.081), 12.9)


LEFT = _on_stand(30.0)  # on the robot's left hand side (y > 0)
RIGHT = _on_stand(-30.0)
WRIST = WristCamera()

SCENE_CAMERAS = {'left': LEFT, 'right': RIGHT}
CAMERAS: dict[str, SceneCamera | WristCamera] = {**SCENE_CAMERAS, 'wrist': WRIST}
VIEWS = tuple(CAMERAS)


def look_at(position: np.ndarray, target: np.ndarray, roll_rad: float = 0.0) -> np.ndarray:
    """Rotation (3, 3) of a camera (x right, y up, z backwards) that looks at a target."""
    backwards = np.asarray(position, dtype=float) - np.asarray(target, dtype=float)
    backwards /= np.linalg.norm(backwards)
    right = np.cross([0.0, 0.0, 1.0], backwards)
    right /= np.linalg.norm(right)
    up = np.cross(backwards, right)
    c, s = np.cos(roll_rad), np.sin(roll_rad)
    return np.stack([c * right + s * up, c * up - s * right, backwards], axis=1)


def wrist_rotation_in_hand() -> np.ndarray:
    """Rotation (3, 3) of the wrist camera (x right, y up, z backwards) in the hand's frame."""
    c, s = np.cos(WRIST.tilt_rad), np.sin(WRIST.tilt_rad)
    forward = np.array([-s, 0.0, c])
    up = np.array([c, 0.0, s])
    return np.stack([np.cross(forward, up), up, -forward], axis=1)


def wrist_pose_in_flange() -> tuple[np.ndarray, np.ndarray]:
    """Nominal position (3,) m and rotation (3, 3) of the wrist camera in the flange frame."""
    c, s = np.cos(HAND_YAW_RAD), np.sin(HAND_YAW_RAD)
    hand = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    return hand @ np.array(WRIST.position), hand @ wrist_rotation_in_hand()


def intrinsics(view: str, height: int, width: int) -> np.ndarray:
    """Pinhole matrix (3, 3) in pixels of a view rendered at a size.

    Raises:
        ValueError: the view does not exist.
    """
    if view not in CAMERAS:
        raise ValueError(f"unknown view '{view}'; known: {', '.join(VIEWS)}")
    focal = 0.5 * height / np.tan(0.5 * np.radians(CAMERAS[view].vertical_fov_deg))
    return np.array([[focal, 0.0, width / 2], [0.0, focal, height / 2], [0.0, 0.0, 1.0]])


def project(points: np.ndarray, position: np.ndarray, rotation: np.ndarray,
            matrix: np.ndarray) -> np.ndarray:
    """Pixels (N, 2), x right and y down, of points (N, 3) seen by a camera at a pose.

    A point behind the camera gives NaN.
    """
    local = (np.atleast_2d(points) - position) @ rotation
    depth = np.where(local[:, 2] < 0.0, -local[:, 2], np.nan)
    x = matrix[0, 0] * local[:, 0] / depth + matrix[0, 2]
    y = -matrix[1, 1] * local[:, 1] / depth + matrix[1, 2]
    return np.stack([x, y], axis=1)


def nominal_pose(view: str) -> tuple[np.ndarray, np.ndarray]:
    """Nominal position (3,) and rotation (3, 3): base frame, or flange frame for the wrist."""
    camera = CAMERAS[view]
    if isinstance(camera, WristCamera):
        return wrist_pose_in_flange()
    position = np.array(camera.position)
    return position, look_at(position, np.array(camera.target))
