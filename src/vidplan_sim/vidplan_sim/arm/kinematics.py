# SPDX-License-Identifier: Apache-2.0
"""Kinematics of the FR3 arm in plain numpy: forward kinematics, Jacobian and a damped IK."""

from __future__ import annotations

import numpy as np

ARM_JOINTS = tuple(f'fr3_joint{i}' for i in range(1, 8))
FINGER_JOINTS = ('fr3_finger_joint1', 'fr3_finger_joint2')

# Joint range of the URDF (franka_description, fr3), rad.
Q_LOWER = np.array([-2.7437, -1.7837, -2.9007, -3.0421, -2.8065, 0.5445, -3.0159])
Q_UPPER = np.array([2.7437, 1.7837, 2.9007, -0.1518, 2.8065, 4.5169, 3.0159])

# A posture with the gripper straight down; start of every IK search and its rest posture.
Q_READY = np.array([0.0, -np.pi / 4, 0.0, -3 * np.pi / 4, 0.0, np.pi / 2, np.pi / 4])

TCP_FROM_FLANGE_M = 0.1034
HAND_YAW_RAD = -np.pi / 4  # the hand is turned about the flange's z axis

# Craig's Denavit-Hartenberg rows (a, d, alpha) of the seven joints and the flange.
_DH = np.array([
    [0.0, 0.333, 0.0],
    [0.0, 0.0, -np.pi / 2],
    [0.0, 0.316, np.pi / 2],
    [0.0825, 0.0, np.pi / 2],
    [-0.0825, 0.384, -np.pi / 2],
    [0.0, 0.0, np.pi / 2],
    [0.088, 0.0, np.pi / 2],
    [0.0, 0.107, 0.0],
])
_COS_ALPHA, _SIN_ALPHA = np.cos(_DH[:, 2]), np.sin(_DH[:, 2])


class UnreachablePose(ValueError):
    """No joint configuration inside the limits reaches the pose."""


def forward(q: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Flange position (3,) m, rotation (3, 3) and geometric Jacobian (6, 7) in the base frame."""
    frames = np.empty((8, 4, 4))
    frame = np.eye(4)
    for i, link in enumerate(_links(np.append(q, 0.0))):
        frames[i] = frame = frame @ link
    position = frame[:3, 3]
    axes = frames[:7, :3, 2].T
    arms = position[:, None] - frames[:7, :3, 3].T
    jacobian = np.empty((6, 7))
    # Spelt out, since np.cross is many times slower on such small arrays.
    jacobian[0] = axes[1] * arms[2] - axes[2] * arms[1]
    jacobian[1] = axes[2] * arms[0] - axes[0] * arms[2]
    jacobian[2] = axes[0] * arms[1] - axes[1] * arms[0]
    jacobian[3:] = axes
    return position.copy(), frame[:3, :3].copy(), jacobian


def down_rotation(yaw: float) -> np.ndarray:
    """Flange rotation (3, 3) with the fingers straight down, the hand's x axis at `yaw` rad."""
    c, s = np.cos(yaw), np.sin(yaw)
    hand = np.array([[c, s, 0.0], [s, -c, 0.0], [0.0, 0.0, -1.0]])
    c, s = np.cos(-HAND_YAW_RAD), np.sin(-HAND_YAW_RAD)
    return hand @ np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def tcp_to_flange(tcp: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """Flange position (3,) of a tool centre point (3,) with flange rotation (3, 3)."""
    return np.asarray(tcp, dtype=float) - TCP_FROM_FLANGE_M * rotation[:, 2]


def solve_ik(
    position: np.ndarray, rotation: np.ndarray, q_start: np.ndarray, *, iterations: int = 100,
) -> np.ndarray:
    """Joint positions (7,) rad that put the flange at a pose, by damped least squares.

    The posture is drawn towards `Q_READY` in the null space, so that a wide motion does not
    wander into a limit.

    Raises:
        UnreachablePose: the search did not come within 0.5 mm and 2 mrad of the pose.
    """
    q = np.array(q_start, dtype=float)
    for iteration in range(iterations):
        at, turn, jacobian = forward(q)
        error = np.concatenate([position - at, rotation_vector(rotation @ turn.T)])
        if iteration > 2 and np.abs(error[:3]).max() < 1e-5 and np.abs(error[3:]).max() < 1e-4:
            return q
        pinv = jacobian.T @ np.linalg.inv(jacobian @ jacobian.T + 1e-6 * np.eye(6))
        # The pull fades, or its second-order effect on the flange would keep the search going.
        posture = (0.2 * 0.6 ** iteration) * (Q_READY - q)
        posture -= pinv @ (jacobian @ posture)
        q = np.clip(q + np.clip(pinv @ error, -0.3, 0.3) + posture, Q_LOWER, Q_UPPER)
    at, turn, _ = forward(q)
    miss_m = float(np.linalg.norm(position - at))
    miss_rad = float(np.linalg.norm(rotation_vector(rotation @ turn.T)))
    if miss_m < 5e-4 and miss_rad < 2e-3:
        return q
    raise UnreachablePose(
        f'flange position {np.round(position, 3).tolist()} not reached: '
        f'off by {1000 * miss_m:.1f} mm and {miss_rad:.3f} rad')


def rotation_vector(rotation: np.ndarray) -> np.ndarray:
    """Rotation vector (3,) rad of a rotation matrix (3, 3)."""
    skew = np.array([
        rotation[2, 1] - rotation[1, 2],
        rotation[0, 2] - rotation[2, 0],
        rotation[1, 0] - rotation[0, 1],
    ])
    sine, cosine = 0.5 * np.linalg.norm(skew), 0.5 * (np.trace(rotation) - 1.0)
    if sine < 1e-9:
        if cosine > 0.0:
            return 0.5 * skew
        # Half a turn: the axis is the column of the largest diagonal entry of (R + I) / 2.
        half = 0.5 * (rotation + np.eye(3))
        column = half[:, int(np.argmax(np.diag(half)))]
        return np.pi * column / np.linalg.norm(column)
    return 0.5 * skew / sine * np.arctan2(sine, cosine)


def _links(angles: np.ndarray) -> np.ndarray:
    """Transforms (8, 4, 4) of the joints and the flange at angles (8,)."""
    ct, st = np.cos(angles), np.sin(angles)
    ca, sa = _COS_ALPHA, _SIN_ALPHA
    links = np.zeros((8, 4, 4))
    links[:, 0, 0], links[:, 0, 1], links[:, 0, 3] = ct, -st, _DH[:, 0]
    links[:, 1, 0], links[:, 1, 1], links[:, 1, 2] = st * ca, ct * ca, -sa
    links[:, 2, 0], links[:, 2, 1], links[:, 2, 2] = st * sa, ct * sa, ca
    links[:, 1, 3], links[:, 2, 3], links[:, 3, 3] = -sa * _DH[:, 1], ca * _DH[:, 1], 1.0
    return links
