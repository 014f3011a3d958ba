# SPDX-License-Identifier: Apache-2.0
"""A tree of named frames, as TF tells it, and where one of them is in another.

Poses are matrices (4, 4), lengths in m: that of B in A takes points of B to A.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from vidplan_core.data.calibration.hand_eye import CalibrationError

Array = NDArray[np.float64]

#: A transform that changes by more than this moves, m and rad.
STILL_M, STILL_RAD = 1e-3, float(np.radians(0.1))
# A quaternion's length may be so far from 1: what tf2 lets pass.
_UNIT = 5e-3
_OPTICAL = 'optical'


@dataclass
class _Edge:
    """Where a frame is on its parent; `problem` says why that cannot be used, '' if it can."""

    pose: Array
    fixed: bool
    problem: str = ''


class FrameTree:
    """Frames by name; what is wrong with a transform matters once a chain needs it."""

    def __init__(self) -> None:
        self._edges: dict[tuple[str, str], _Edge] = {}

    @property
    def names(self) -> list[str]:
        """Of all frames, sorted."""
        return sorted({name for edge in self._edges for name in edge})

    def add(
        self,
        parent: str,
        child: str,
        position: Sequence[float],
        quaternion: Sequence[float],
        *,
        fixed: bool = True,
    ) -> None:
        """Add a transform, or say again where a frame is; the first word counts.

        Args:
            parent, child: names; a slash before them is left out.
            position: of the child in the parent (3,), m.
            quaternion: of its rotation (4,), xyzw.
            fixed: whether it was said to hold for ever (`/tf_static`).
        """
        key = parent.lstrip('/'), child.lstrip('/')
        edge = self._edges.get(key)
        if edge is not None and edge.problem:
            return
        new = _edge(*key, np.array(position), np.array(quaternion), fixed)
        if edge is None:
            self._edges[key] = new
        elif new.problem:
            edge.problem = new.problem
        else:
            edge.problem = _motion(*key, edge.pose, new.pose)

    def refuse(self, parent: str, child: str, reason: str) -> None:
        """Let no chain go over a transform, if there is such a one."""
        if (parent, child) in self._edges:
            self._edges[parent, child].problem = reason

    def between(self, parent: str, child: str) -> Array:
        """Return the pose (4, 4) of a frame in another, whichever of them is above.

        Raises:
            CalibrationError: there is no such frame, or no chain of transforms that stay as they
                are; the message says which one does not.
        """
        pose = np.eye(4)
        for start, end in self._links(parent, child):
            down = self._edges.get((start, end))
            pose = pose @ (down.pose if down else np.linalg.inv(self._edges[end, start].pose))
        return pose

    def unsure(self, parent: str, child: str) -> list[str]:
        """Return the frames on the way that only stood still as long as they were looked at."""
        steps = self._links(parent, child)
        return [key[1] for key in map(self._key, steps) if not self._edges[key].fixed]

    def optical_near(self, name: str) -> list[str]:
        """Return the optical frames directly on a frame."""
        return [child for parent, child in self._edges if parent == name and is_optical(child)]

    def _links(self, parent: str, child: str) -> list[tuple[str, str]]:
        """Return the steps of the way between two frames; raises as `between`."""
        for name in (parent, child):
            self._require(name)
        links = self._way(parent, child, usable=True)
        if links is None:
            blocked = self._way(parent, child, usable=False)
            if blocked is None:
                raise CalibrationError(
                    f'{child} and {parent} are not connected by transforms of the recording; '
                    f'with {parent} are {", ".join(self._around(parent)) or "no others"}'
                )
            problems = (self._edges[self._key(step)].problem for step in blocked)
            reason = next(problem for problem in problems if problem)
            raise CalibrationError(f'no fixed way from {parent} to {child}: {reason}')
        for key in map(self._key, links):
            self._require_one_parent(key[1])
        return links

    def _require(self, name: str) -> None:
        names = self.names
        if name not in names:
            near = get_close_matches(name, names, 3, 0.4) or names[:6]
            raise CalibrationError(
                f'there is no frame {name!r} in the recording; nearest are {", ".join(near)}'
            )

    def _require_one_parent(self, child: str) -> None:
        parents = sorted(above for above, below in self._edges if below == child)
        if len(parents) > 1:
            raise CalibrationError(
                f'{child} has several parents, {" and ".join(parents)}: two nodes say where it '
                'is; record without one of them'
            )

    def _way(self, start: str, end: str, *, usable: bool) -> list[tuple[str, str]] | None:
        """Return the shortest way, if any, over all transforms or only those that can be used."""
        came = self._reached(start, usable=usable)
        if end not in came:
            return None
        steps: list[tuple[str, str]] = []
        while end != start:
            steps.append((came[end], end))
            end = came[end]
        return steps[::-1]

    def _reached(self, start: str, *, usable: bool) -> dict[str, str]:
        """Return every frame that is connected to one, with the frame before it on the way."""
        near: dict[str, list[str]] = {}
        for (above, below), edge in self._edges.items():
            if not (usable and edge.problem):
                near.setdefault(above, []).append(below)
                near.setdefault(below, []).append(above)
        came, waiting = {start: start}, deque([start])
        while waiting:
            here = waiting.popleft()
            for name in near.get(here, ()):
                if name not in came:
                    came[name] = here
                    waiting.append(name)
        return came

    def _around(self, name: str) -> list[str]:
        return sorted(set(self._reached(name, usable=False)) - {name})[:8]

    def _key(self, step: tuple[str, str]) -> tuple[str, str]:
        return step if step in self._edges else step[::-1]


def is_optical(name: str) -> bool:
    """Whether a name is that of an optical frame: z forward, x right (REP 103)."""
    return _OPTICAL in name.rpartition('/')[2]


def apart(first: Array, second: Array) -> tuple[float, float]:
    """Return how far two poses (4, 4) are from each other, m and rad."""
    turn = Rotation.from_matrix(first[:3, :3].T @ second[:3, :3])
    return float(np.linalg.norm(first[:3, 3] - second[:3, 3])), float(turn.magnitude())


def _edge(parent: str, child: str, position: Array, quaternion: Array, fixed: bool) -> _Edge:
    if not (np.isfinite(position).all() and np.isfinite(quaternion).all()):
        return _Edge(np.eye(4), fixed, f'where {child} is in {parent} is not finite')
    length = float(np.linalg.norm(quaternion))
    if abs(length - 1.0) > _UNIT:
        return _Edge(
            np.eye(4), fixed,
            f'the quaternion of {child} in {parent} has the length {length:.3g}; a rotation has 1',
        )  # fmt: skip
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = Rotation.from_quat(quaternion).as_matrix(), position
    return _Edge(pose, fixed)


def _motion(parent: str, child: str, first: Array, now: Array) -> str:
    far_m, turned_rad = apart(first, now)
    if far_m <= STILL_M and turned_rad <= STILL_RAD:
        return ''
    return (
        f'{child} moves in {parent} ({1e3 * far_m:.1f} mm and {np.degrees(turned_rad):.2f} '
        'degrees in the recording)'
    )
