# SPDX-License-Identifier: Apache-2.0
"""An arm's links as capsules: how near they come to each other and to what stands around."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from vidplan_core.geometry.fk import ArmFrames
from vidplan_core.geometry.robot import RobotModel
from vidplan_core.geometry.workspace import WorkspaceBox

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

# The base and the first link stand on the table.
_ABOVE_THE_TABLE = 2

# An arm that stands too near already may go on if it comes no nearer than this, m.
_NO_NEARER_M = 1e-3

# Frames so near to each other on the chain cannot meet, nor can the parts of the wrist, from the
# forearm on: exact meshes stay 9 mm apart within the limits, where capsules touch.
_NEIGHBOURS, _WRIST = 2, 5


@dataclass(frozen=True, eq=False)
class LinkCapsules:
    """The capsules of one arm in the robot base frame, in N postures.

    Attributes:
        frames: that each capsule (C,) is fixed to, 0 the base .. 8 the flange.
        start: of its axis (N, C, 3), m.
        end: of its axis (N, C, 3), m.
        radius: (C,), m.
    """

    frames: Indices
    start: Array
    end: Array
    radius: Array

    @classmethod
    def at(cls, robot: RobotModel, at: ArmFrames) -> LinkCapsules:
        """The capsules of a robot whose frames are given."""
        flange = float(len(robot.chain))
        fingers = [(flange, *row) for row in robot.fingers]
        rows = np.array([*robot.links, *fingers], np.float64).reshape(-1, 8)
        frames = rows[:, 0].astype(np.intp)
        positions, rotations = (values[:, frames] for values in at)
        start, end = (
            positions + np.einsum('nfij,fj->nfi', rotations, rows[:, columns])
            for columns in (slice(1, 4), slice(4, 7))
        )
        return cls(frames, start, end, rows[:, 7])

    def heights(self) -> Array:
        """Height (N, C) of the lowest point of each capsule, m."""
        return np.minimum(self.start[..., 2], self.end[..., 2]) - self.radius

    def apart(self, within_m: float = np.inf) -> tuple[Array, Indices, Indices]:
        """Distances (N, P) of the pairs that may not touch, m, and their capsules (P,), (P,).

        Pairs that never come nearer than `within_m` may be left out; of postures in which one
        does not, its distance is a lower bound above that.
        """
        first, second = _pairs(tuple(self.frames.tolist()))
        middle = (self.start + self.end) / 2
        around = np.linalg.norm(self.end[0] - self.start[0], axis=-1) / 2 + self.radius
        found = _length(middle[:, first] - middle[:, second])
        found -= around[first] + around[second]
        # Written so that NaN counts as near.
        near = ~(found > within_m)
        kept = near.any(0)
        first, second, found, near = first[kept], second[kept], found[:, kept], near[:, kept]
        posture, pair = np.nonzero(near)
        one, other = first[pair], second[pair]
        distance = _between_segments(
            self.start[posture, one], self.end[posture, one],
            self.start[posture, other], self.end[posture, other],
        )  # fmt: skip
        found[near] = distance - self.radius[one] - self.radius[other]
        return found, first, second

    def from_box(self, box: WorkspaceBox, within_m: float = np.inf) -> Array:
        """Distance (N, C) of each capsule from a box, m.

        Of postures that come no nearer than `within_m` it is a lower bound above that.
        """
        lower, upper = np.asarray(box.lower), np.asarray(box.upper)
        way = self.end - self.start
        half = np.linalg.norm(way[0], axis=-1) / 2
        found = _from_box(self.start + way / 2, lower, upper) - half - self.radius
        # Written so that NaN counts as near.
        near = ~(found > within_m)
        radius = np.broadcast_to(self.radius, found.shape)[near]
        found[near] = _nearest_on(self.start[near], way[near], lower, upper) - radius
        return found

    def name(self, index: int) -> str:
        """What a capsule belongs to, for messages."""
        frame = int(self.frames[index])
        return 'the hand' if frame == self.frames.max() else f'link {frame}'


@dataclass(frozen=True)
class Margins:
    """How far links keep away, m: from the table, boxes and each other; fingertips above it."""

    table_m: float
    box_m: float
    self_m: float
    fingertip_m: float


def collision(
    robot: RobotModel, at: ArmFrames, margins: Margins, boxes: tuple[WorkspaceBox, ...] = ()
) -> str | None:
    """Say which link of a motion comes too near to what, or None.

    An arm that is too near at the first posture may stay so, but come no nearer.

    Args:
        robot: whose links and fingertips; those that it does not have are not looked at.
        at: the arm's frames along the motion.
        margins: that are kept.
        boxes: that stand around, in the base frame.
    """
    capsules = LinkCapsules.at(robot, at)
    above = np.flatnonzero(capsules.frames >= _ABOVE_THE_TABLE)
    above = above[: len(above) - len(robot.fingers)]
    found = _nearest(capsules.heights()[:, above], margins.table_m)
    if found is not None:
        return f'{capsules.name(above[found[0]])} is {found[1]:.3f} m above the table'
    found = _nearest(fingertip_heights(robot, at), margins.fingertip_m)
    if found is not None:
        return f'a fingertip is {found[1]:.3f} m above the table'
    for number, box in enumerate(boxes):
        away = capsules.from_box(box, margins.box_m)
        found = _nearest(away[:, above[0] :], margins.box_m)
        if found is not None:
            name = capsules.name(above[0] + found[0])
            return f'{name} is {found[1]:.3f} m from box {number}'
    apart, first, second = capsules.apart(margins.self_m)
    if (found := _nearest(apart, margins.self_m)) is None:
        return None
    names = (capsules.name(side[found[0]]) for side in (first, second))
    return f'{" and ".join(names)} are {found[1]:.3f} m apart'


def fingertip_heights(robot: RobotModel, at: ArmFrames) -> Array:
    """Height (N, corners) of the corners of the open fingertips, m."""
    corners = np.array(robot.fingertips, np.float64).reshape(-1, 3)
    return np.asarray(at[0][:, -1:, 2] + at[1][:, -1, 2] @ corners.T)


@lru_cache(maxsize=16)
def _pairs(frames: tuple[int, ...]) -> tuple[Indices, Indices]:
    """Return which capsules of which frames may not touch, (P,) and (P,)."""
    of = np.array(frames)
    first, second = np.triu_indices(len(of), 1)
    low, high = (pick(of[first], of[second]) for pick in (np.minimum, np.maximum))
    far = (high - low > _NEIGHBOURS) & (low < _WRIST)
    return first[far], second[far]


def _nearest(clear: Array, margin_m: float) -> tuple[int, float] | None:
    """Return the column of distances (N, K) that falls furthest below its margin, and to what."""
    if not clear.size:
        return None
    allowed = np.minimum(margin_m, clear[0] - _NO_NEARER_M)
    least = clear.min(0)
    # Written so that NaN counts as too near.
    column = int(np.argmax(np.where(np.isnan(least), np.inf, allowed - least)))
    return None if least[column] >= allowed[column] else (column, float(least[column]))


def _nearest_on(start: Array, way: Array, lower: Array, upper: Array) -> Array:
    """Distance (K,) of axes from `start` (K, 3) along `way` (K, 3) from a box, m.

    The squared distance is convex along an axis, and its slope linear between the parts of the
    way at which the axis crosses a side's plane.
    """
    with np.errstate(divide='ignore', invalid='ignore'):
        crossed = np.concatenate(((lower - start) / way, (upper - start) / way), 1)
    parts = np.zeros((len(start), 8))
    parts[:, 1:7], parts[:, 7] = np.clip(np.nan_to_num(crossed), 0.0, 1.0), 1.0
    parts.sort(1)
    points = start[:, None] + parts[..., None] * way[:, None]
    away = points - np.minimum(np.maximum(points, lower), upper)
    slope = np.einsum('kpi,ki->kp', away, way)
    last = np.clip((slope <= 0).sum(1) - 1, 0, 6)
    each = np.arange(len(start))
    falls, rises = slope[each, last], slope[each, last + 1]
    share = np.clip(-falls / np.maximum(rises - falls, 1e-300), 0.0, 1.0)
    part = parts[each, last] + share * (parts[each, last + 1] - parts[each, last])
    return _from_box(start + part[:, None] * way, lower, upper)


def _from_box(point: Array, lower: Array, upper: Array) -> Array:
    """Distance (...) of points (..., 3) from a box, m."""
    return _length(point - np.minimum(np.maximum(point, lower), upper))


def _between_segments(p0: Array, p1: Array, q0: Array, q1: Array) -> Array:
    """Distance between segments (..., 3); Ericson, Real-Time Collision Detection, 5.1.9."""
    u, v, w = p1 - p0, q1 - q0, p0 - q0
    a, e = (np.maximum(_dot(x, x), 1e-12) for x in (u, v))
    b, c, f = _dot(u, v), _dot(u, w), _dot(v, w)
    s = np.clip((b * f - c * e) / np.maximum(a * e - b * b, 1e-12), 0.0, 1.0)
    t = np.clip((b * s + f) / e, 0.0, 1.0)
    s = np.clip((b * t - c) / a, 0.0, 1.0)
    return _length(w + s[..., None] * u - t[..., None] * v)


def _dot(one: Array, other: Array) -> Array:
    """Products (...) of vectors (..., 3); sums of threes take NumPy twice as long."""
    return np.asarray(np.einsum('...i,...i->...', one, other))


def _length(vectors: Array) -> Array:
    return np.asarray(np.sqrt(_dot(vectors, vectors)))
