# SPDX-License-Identifier: Apache-2.0
"""What a fold needs next: which motions could be made, and how long each leaves to the end.

A motion costs the seconds that are left after it, those that a failure would cost by its
probability among them. The world model has never seen cloth; what a motion does to one follows
from geometry: what the fingers hold goes where they go, and folds along the middle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vidplan_core.planner.tasks.folding.way import ARC_M, GRASP_M, OVER_M, FoldWay
from vidplan_core.planner.tasks.hand import Hand, HandPaths, Move

SPEED_M_S, TURN_RAD_S, ARC_RAD_S = 0.16, 1.0, 1.1  # of a hand that plans every 0.4 s
CLOSE_S, CARRY_S, LEAVE_S = 1.0, 3.0, 1.5
RETRY_S = 8.0  # that a failure costs
# Misses of a grasp of which six in ten hold: beside, turned, above.
GRASP_M_OFF, GRASP_RAD_OFF, GRASP_DEPTH_OFF = 0.008, 0.15, 0.003
# Of a release, over the table and above it; of the arc while carrying.
RELEASE_M_OFF, RELEASE_DEPTH_OFF, ARC_M_OFF = 0.012, 0.012, 0.04
BESIDE_M, BESIDE_RAD = 0.012, 0.2  # within which the hand may go down
LOW_M = 0.035  # below this, open fingers catch cloth
CLEAR_M = 0.10  # from where the cloth is looked at
ARC_STEPS_RAD, ARC_HEIGHTS_M = (0.5, 0.7, 0.9), (0.06, ARC_M, 0.09)
LEAVING_RAD = (0.0, 0.5, -0.5, 1.0, -1.0)  # off straight away from the fold
LEAVE_M, LIFT_M = 0.09, 0.05


def chance(miss: np.ndarray, scale: float) -> np.ndarray:
    """How likely it goes well in spite of a miss: 1 without, 0.6 for one of `scale`."""
    found: np.ndarray = np.exp(-0.5 * (miss / scale) ** 2)
    return found


@dataclass(frozen=True, eq=False)
class Waiting:
    """The fingers are under way, or something is looked at: the hand stays."""

    grip: float
    done: bool = False

    def moves(self, hand: Hand) -> list[Move]:
        """To stay."""
        return [Move(hand.tool, None, self.grip)]

    def seconds(self, paths: HandPaths) -> np.ndarray:
        """Time to the end, (candidates,), s: a hand that moves, or grips otherwise, loses some."""
        moved = np.linalg.norm(paths.end - paths.tool[:, 0], axis=-1) / SPEED_M_S
        wrong = RETRY_S * (np.abs(paths.grip - self.grip) > 0.5)
        found: np.ndarray = moved + wrong + LEAVE_S * (not self.done)
        return found


@dataclass(frozen=True, eq=False)
class Reaching:
    """The hand is open, the cloth spread out: to one of its corners.

    Attributes:
        ways: that are within reach.
        looked: whether the wrist camera has seen the corner; the hand stays over it until then.
    """

    ways: Sequence[FoldWay]
    looked: bool

    def moves(self, hand: Hand) -> list[Move]:
        """Over each corner, down to it, up, and to close the fingers."""
        found = [Move(hand.tool, None, 1.0)] if self.looked else []
        found.append(Move(np.append(hand.tool[:2], OVER_M), None, 0.0))
        for way in self.ways:
            yaw = way.yaw(hand.yaw, hand.home_yaw)
            found.append(Move(way.over, yaw, 0.0))
            if self.looked:
                found.append(Move(way.grasp, yaw, 0.0))
        return found

    def seconds(self, paths: HandPaths) -> np.ndarray:
        """Time to the end by the way that is best for each, (candidates,), s."""
        costs: np.ndarray = np.stack([self._by(way, paths) for way in self.ways]).min(0)
        return costs

    def _by(self, way: FoldWay, paths: HandPaths) -> np.ndarray:
        gap = way.grasp - paths.end
        beside = np.linalg.norm(gap[:, :2], axis=-1)
        turn = np.abs(paths.yaw - [way.yaw(yaw, paths.home_yaw) for yaw in paths.yaw])
        down = (beside < BESIDE_M) & (turn < BESIDE_RAD) & self.looked
        height = paths.end[:, 2]
        around = np.maximum(OVER_M - height, 0.0) + beside + np.abs(
            np.maximum(height, OVER_M) - (GRASP_M if self.looked else OVER_M)
        )  # fmt: skip
        way_m = np.where(down, np.abs(gap[:, 2]) + beside, around)
        opened = CLOSE_S + np.maximum(way_m / SPEED_M_S, turn / TURN_RAD_S)
        held = chance(beside, GRASP_M_OFF) * chance(turn, GRASP_RAD_OFF)
        held = held * chance(gap[:, 2], GRASP_DEPTH_OFF) * self.looked
        closed = CLOSE_S - 0.4 + RETRY_S * (1.0 - held)
        later = CARRY_S + LEAVE_S + RETRY_S * (1.0 - way.overlap)
        return np.where(paths.grip > 0.5, closed, opened) + later + self._swept(way, paths)

    def _swept(self, way: FoldWay, paths: HandPaths) -> np.ndarray:
        """What it costs to go low beside the corner: fingers push what lies there."""
        beside = np.linalg.norm(paths.tool[..., :2] - way.grasp[:2], axis=-1) > 2 * BESIDE_M
        low = np.maximum(LOW_M - paths.tool[..., 2], 0.0) / LOW_M
        cost: np.ndarray = 0.5 * RETRY_S * (beside * low).mean(-1)
        return cost


@dataclass(frozen=True, eq=False)
class Carrying:
    """The fingers hold the corner: along the arc, and open at its end."""

    way: FoldWay

    def moves(self, hand: Hand) -> list[Move]:
        """Further along the arc, by steps and heights; to open here."""
        angle = float(self.way.angle(hand.tool))
        found = [Move(hand.tool, None, 0.0), Move(self.way.release, None, 1.0)]
        for step in ARC_STEPS_RAD:
            for height in ARC_HEIGHTS_M:
                goal = self.way.arc(min(angle + step, np.pi), height)
                found.append(Move(goal, None, 1.0))
        return found

    def seconds(self, paths: HandPaths) -> np.ndarray:
        """Time to the end, (candidates,), s."""
        way, end = self.way, paths.end
        angle = way.angle(end)
        miss = end - way.release
        lies = chance(np.linalg.norm(miss[:, :2], axis=-1), RELEASE_M_OFF)
        lies = lies * chance(np.maximum(miss[:, 2], 0.0), RELEASE_DEPTH_OFF)
        middle = paths.tool[:, paths.tool.shape[1] // 2]
        off = np.maximum(self._off(end), self._off(middle))
        sinks = np.maximum(end[:, 2] - way.arc(angle)[:, 2], 0.0) / SPEED_M_S
        carried = (np.pi - angle) / ARC_RAD_S + sinks + np.linalg.norm(
            miss[:, :2], axis=-1
        ) / SPEED_M_S + RETRY_S * (1.0 - chance(off, ARC_M_OFF))  # fmt: skip
        opened = RETRY_S * (1.0 - lies) - 0.4
        return np.where(paths.grip > 0.5, carried, opened) + LEAVE_S

    def _off(self, tool: np.ndarray) -> np.ndarray:
        """How far tools (candidates, 3) are off the arc, m."""
        found: np.ndarray = np.linalg.norm(tool - self.way.arc(self.way.angle(tool)), axis=-1)
        return found


@dataclass(frozen=True, eq=False)
class Leaving:
    """What was held is let go: out of the fold, then up to where it can be looked at.

    Open fingers may be under cloth beside them, which they would lift.
    """

    way: FoldWay | None

    def moves(self, hand: Hand) -> list[Move]:
        """Away from the fold and up by several directions; straight up."""
        found = [Move(np.append(hand.tool[:2], CLEAR_M + 0.01), None, 0.0)]
        if self.way is None:
            return found
        for turn in LEAVING_RAD:
            c, s = np.cos(turn), np.sin(turn)
            out = -LEAVE_M * np.array([[c, -s], [s, c]]) @ self.way.toward
            found.append(Move(hand.tool + np.append(out, LIFT_M), None, 0.0))
        return found

    def seconds(self, paths: HandPaths) -> np.ndarray:
        """Time to the end, (candidates,), s."""
        rise = np.maximum(CLEAR_M - paths.end[:, 2], 0.0) / SPEED_M_S
        wrong = RETRY_S * (paths.grip > 0.5)
        lifted = np.zeros_like(rise)
        if self.way is not None and float(paths.tool[0, 0, 2]) < LOW_M:
            away = (paths.end - paths.tool[:, 0])[:, :2] @ -self.way.toward
            lifted = RETRY_S * (1.0 - np.clip(away / LEAVE_M, 0.0, 1.0))
        found: np.ndarray = rise + wrong + lifted
        return found


Stage = Waiting | Reaching | Carrying | Leaving
