# SPDX-License-Identifier: Apache-2.0
"""The planner's view of the motion that the adapter executes anyway."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation, Slerp

from vidplan_core.control.commands import CommittedMotion
from vidplan_core.data.action import PoseChunk
from vidplan_core.data.readings import pose_arrays, seconds

Array = NDArray[np.floating]

# Motions smaller than this are none, m.
STILL_M = 1e-4
# How far back a motion is followed from where it begins, s: cameras and their messages take that.
BEFORE_S = 0.15


def motion_of_status(message: Any) -> CommittedMotion | None:
    """Of an AdapterStatus, whoever made the message; None if the adapter does not say."""
    if not len(message.committed_poses):
        return None
    positions, quaternions = pose_arrays(message.committed_poses)
    # An adapter that tells no joints tells none of them.
    joints = len(message.committed_joint_positions) // len(positions) or 7
    return CommittedMotion(
        seconds(message.header.stamp) + np.array(message.committed_times_s),
        positions,
        quaternions,
        np.array(message.committed_closedness),
        q=np.reshape(message.committed_joint_positions, (-1, joints)),
        dq=np.reshape(message.committed_joint_velocities, (-1, joints)),
        time_ratio=message.time_ratio,
    )


def rests(motion: CommittedMotion, time_s: float) -> bool:
    """Whether nothing moves from `time_s` on."""
    later = motion.position[motion.times_s >= time_s - 1e-6]
    return len(later) < 2 or float(np.abs(later - later[-1]).max()) < STILL_M


def chunk_ahead(
    motion: CommittedMotion, start_s: float, frames: int, period_s: float
) -> PoseChunk:
    """Poses (1, frames) at the model's frames from `start_s` on; past its end the arm stays."""
    times = _within(motion, start_s + period_s * np.arange(frames))
    closedness = np.interp(times, motion.times_s, motion.closedness)
    return PoseChunk(
        torch.from_numpy(_rows(motion, motion.position, times)[None]),
        torch.from_numpy(_turned(motion, times).as_matrix()[None]),
        torch.from_numpy(closedness[None]),
    )


def velocity_at(motion: CommittedMotion, time_s: float, span_s: float = 0.02) -> Array:
    """Linear velocity (3,) of the flange, m/s, by a central difference; zero past the end."""
    if time_s >= motion.times_s[-1] - 1e-6:
        return np.zeros(3)
    around = _within(motion, np.array([time_s - span_s, time_s + span_s]))
    places = _rows(motion, motion.position, around)
    return (places[1] - places[0]) / max(around[1] - around[0], 1e-6)


def turn_rate_at(motion: CommittedMotion, time_s: float, span_s: float = 0.02) -> Array:
    """Angular velocity (3,) of the flange in the base frame, rad/s; zero past the end."""
    if time_s >= motion.times_s[-1] - 1e-6:
        return np.zeros(3)
    around = _within(motion, np.array([time_s - span_s, time_s + span_s]))
    before, after = _turned(motion, around)
    turned: Array = (after * before.inv()).as_rotvec()
    return turned / max(around[1] - around[0], 1e-6)


def angles_at(motion: CommittedMotion, time_s: float) -> Array | None:
    """Joint angles (7,), rad, or None where the motion has none."""
    if len(motion.q) != len(motion.times_s):
        return None
    return _rows(motion, motion.q, _within(motion, np.array([time_s])))[0]


def angles_before(motion: CommittedMotion, time_s: float) -> Array | None:
    """Joint angles (7,), rad, also where the arm was sent a moment before the motion's first time.

    A status gives a motion from its own time on, and a picture that comes from a camera shows what
    was before: back to `BEFORE_S` the motion is followed by its speed and acceleration. None
    further back, or where the motion has no joints.
    """
    angles, before_s = angles_at(motion, time_s), float(motion.times_s[0]) - time_s
    if before_s <= 0.0 or angles is None:
        return angles
    speeds, rates = speeds_at(motion, time_s), rates_at(motion, time_s)
    if speeds is None or rates is None or before_s > BEFORE_S:
        return None
    return np.asarray(angles - speeds * before_s + 0.5 * rates * before_s**2)


def speeds_at(motion: CommittedMotion, time_s: float) -> Array | None:
    """Joint velocities (7,), rad/s, or None where the motion does not give them."""
    if len(motion.dq) != len(motion.times_s):
        return None
    return _rows(motion, motion.dq, _within(motion, np.array([time_s])))[0]


def rates_at(motion: CommittedMotion, time_s: float) -> Array | None:
    """Joint accelerations (7,), rad/s^2, by the spline through velocities; None without them."""
    if len(motion.dq) != len(motion.times_s):
        return None
    if time_s >= motion.times_s[-1] - 1e-6 or len(motion.times_s) < 2:
        return np.zeros(motion.dq.shape[-1])
    rest = (1, np.zeros(motion.dq.shape[-1]))
    spline = CubicSpline(motion.times_s, motion.dq, bc_type=('not-a-knot', rest))
    return np.asarray(spline(max(time_s, motion.times_s[0]), 1))


def _rows(motion: CommittedMotion, values: Array, times: Array) -> Array:
    return np.stack([np.interp(times, motion.times_s, column) for column in values.T], axis=-1)


def _turned(motion: CommittedMotion, times: Array) -> Rotation:
    """Rotations at times within the motion; one that is a single pose stays there."""
    known = Rotation.from_quat(motion.quaternion)
    if len(motion.times_s) == 1:
        return known[np.zeros(len(times), dtype=int)]
    found: Rotation = Slerp(motion.times_s, known)(times)
    return found


def _within(motion: CommittedMotion, times: Array) -> Array:
    return np.clip(times, motion.times_s[0], motion.times_s[-1])
