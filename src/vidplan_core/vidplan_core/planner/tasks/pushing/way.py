# SPDX-License-Identifier: Apache-2.0
"""The way of a thing that is pushed: where it stood, where it should go, and what moves it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidplan_core.errors import InstructionError
from vidplan_core.geometry.workspace import PLANNING_BOX

# Directions in the base frame, by `WAYS`: as the robot sees it, looking along x.
HEADINGS = {'left': (0.0, 1.0), 'right': (0.0, -1.0), 'away': (1.0, 0.0), 'closer': (-1.0, 0.0)}
PUSH_M = 0.10  # that a thing is pushed
# From a thing's middle: where the fingers go down, and where they touch one of a usual size.
BEHIND_M, TOUCH_M = 0.09, 0.045
ROOM_M = 0.02  # from where it ends to the edge of the workspace
NEAREST_M = 0.35  # x of the tool: nearer to the base the elbow is bent as far as it goes
LOW_M = 0.05  # fingers below this push what stands in their way
SETTLED_M = 0.03  # nearer to the goal than this, the heading stays


@dataclass(frozen=True, eq=False)
class PushWay:
    """A way along the table, base frame, m.

    Attributes:
        before: where the thing stood, (2,).
        toward: unit vector (2,).
    """

    before: np.ndarray
    toward: np.ndarray

    @property
    def goal(self) -> np.ndarray:
        """Where it should lie, (2,)."""
        found: np.ndarray = self.before + PUSH_M * self.toward
        return found

    def moved(self, place: np.ndarray) -> tuple[float, float]:
        """How far it has gone along the way to a place (2,), and how far beside it, m."""
        along, aside = beside(place - self.before, self.toward)
        return along, abs(aside)

    def heading(self, place: np.ndarray) -> np.ndarray:
        """Unit vector (2,) from a place (2,) to the goal."""
        gap = self.goal - place
        far_m = float(np.linalg.norm(gap))
        found: np.ndarray = gap / far_m if far_m > SETTLED_M else self.toward
        return found


def beside(gap: np.ndarray, heading: np.ndarray) -> tuple[float, float]:
    """How far a gap (2,) goes along a heading (2,), and to its left, m."""
    return float(gap @ heading), float(heading[0] * gap[1] - heading[1] * gap[0])


def way_from(place: np.ndarray, way: str, name: str) -> PushWay:
    """The way of a thing at a place (2,), in a direction of `HEADINGS`.

    Raises:
        InstructionError: the workspace ends before the way does, or where the hand would start.
    """
    toward = np.array(HEADINGS[way])
    low, high = np.array(PLANNING_BOX.lower[:2]), np.array(PLANNING_BOX.upper[:2])
    edge = high if toward.sum() > 0 else low
    free_m = float((edge - place) @ toward) - ROOM_M
    if free_m < PUSH_M:
        raise InstructionError(
            f'the {name} is pushed {100 * PUSH_M:.0f} cm, and could go '
            f'{100 * max(free_m, 0.0):.0f} cm before the workspace ends; push it another way'
        )
    start = place - BEHIND_M * toward
    if not ((np.array([NEAREST_M, low[1]]) <= start) & (start <= high)).all():
        raise InstructionError(
            f'the {name} stands at the edge of the workspace, where the hand cannot go behind it; '
            'push it another way, or move it in'
        )
    return PushWay(place, toward)


def carried(path: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Where a thing at (2,) lies, (2,), after a tool went along a path (frames, 3).

    It goes straight before low fingers that meet it no farther from its middle than its edge.
    """
    for before, now in zip(path[:-1], path[1:], strict=True):
        step = (now - before)[:2]
        length_m = float(np.linalg.norm(step))
        if length_m < 1e-6 or max(before[2], now[2]) > LOW_M:
            continue
        heading = step / length_m
        ahead, aside = beside(now[:2] - place, heading)
        if abs(aside) < TOUCH_M and -TOUCH_M < ahead < length_m:
            place = place + (ahead + TOUCH_M) * heading
    return place
