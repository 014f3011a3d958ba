# SPDX-License-Identifier: Apache-2.0
"""What a push needs next: which motions could be made, and how long each leaves to the end."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vidplan_core.planner.tasks.hand import Hand, HandPaths, Move
from vidplan_core.planner.tasks.pushing.way import BEHIND_M, TOUCH_M, PushWay, beside, carried

OVER_M, STROKE_M = 0.15, 0.02  # heights of the tool: over things, and while it pushes
SPEED_M_S = 0.16  # of a hand that plans every 0.4 s
LEAVE_S, RETRY_S = 1.5, 6.0  # the way up; what a stroke that goes wrong costs
BESIDE_M = 0.015  # within which the hand may go down
SAFE_M = 0.12  # below this, fingers on their way may catch things
ASIDE_M = 0.03  # of where it should lie, of which six in ten strokes go well
# Strokes: shares of the way that is left, turns off the heading, and places beside the middle.
SHARES, TURNS_RAD, BESIDES_M = (0.5, 1.0, 1.3), (-0.25, 0.25), (-0.015, 0.015)
LONGEST_M = 0.13


@dataclass(frozen=True, eq=False)
class Looking:
    """The hand is over the thing and looks whether it is done."""

    done: bool

    def moves(self, hand: Hand) -> list[Move]:
        """To stay."""
        return [Move(hand.tool, None, 1.0)]

    def seconds(self, paths: HandPaths) -> np.ndarray:
        """Time to the end, (candidates,), s."""
        found: np.ndarray = np.linalg.norm(paths.end - paths.tool[:, 0], axis=-1) / SPEED_M_S
        return found


@dataclass(frozen=True, eq=False)
class Approaching:
    """To the side of the thing from which it is pushed, over all, and down.

    Attributes:
        way: of the thing.
        place: where it is, (2,).
        closed: whether the fingers are closed; the hand stays up until then.
    """

    way: PushWay
    place: np.ndarray
    closed: bool

    @property
    def behind(self) -> np.ndarray:
        """Where the fingers go down, (2,)."""
        found: np.ndarray = self.place - BEHIND_M * self.way.heading(self.place)
        return found

    def moves(self, hand: Hand) -> list[Move]:
        """Up, over it, and down if the fingers are closed."""
        heights = (OVER_M, STROKE_M) if self.closed else (OVER_M,)
        goals = [np.append(hand.tool[:2], OVER_M)]
        goals += [np.append(self.behind, height) for height in heights]
        return [Move(goal, None, 1.0) for goal in goals]

    def seconds(self, paths: HandPaths) -> np.ndarray:
        """Time to the end, (candidates,), s."""
        beside_m = np.linalg.norm(paths.end[:, :2] - self.behind, axis=-1)
        height = paths.end[:, 2]
        down = beside_m + np.abs(height - STROKE_M)
        around = beside_m + np.maximum(OVER_M - height, 0.0) + OVER_M - STROKE_M
        left_m = np.where((beside_m < BESIDE_M) & self.closed, down, around)
        off = np.linalg.norm(paths.tool[..., :2] - self.behind, axis=-1) > 2 * BESIDE_M
        sinks = np.maximum(np.minimum(paths.tool[:, :1, 2], SAFE_M) - paths.tool[..., 2], 0.0)
        found: np.ndarray = left_m / SPEED_M_S + RETRY_S * (off * sinks).max(-1) / SAFE_M
        return found


@dataclass(frozen=True, eq=False)
class Stroking:
    """The fingers are behind the thing: along its heading.

    Attributes:
        way: of the thing.
        place: where it is when the motion starts, (2,).
        ends: where it is after each motion, (candidates, 2); None where only geometry says it.
    """

    way: PushWay
    place: np.ndarray
    ends: np.ndarray | None = None

    def moves(self, hand: Hand) -> list[Move]:
        """Along the heading, by lengths, turns and places beside the middle."""
        heading = self.way.heading(self.place)
        left = np.array([-heading[1], heading[0]])
        ahead, aside = beside(hand.tool[:2] - self.place, heading)
        far_m = float(np.linalg.norm(self.way.goal - self.place)) + max(-ahead - TOUCH_M, 0.0)
        strokes = [(far_m * share, 0.0) for share in SHARES]
        strokes += [(far_m, far_m * np.tan(turn)) for turn in TURNS_RAD]
        strokes += [(far_m, off - aside) for off in BESIDES_M]
        goals = [hand.tool[:2] + min(along, LONGEST_M) * heading + off * left
                 for along, off in strokes]  # fmt: skip
        return [Move(np.append(goal, STROKE_M), None, 1.0) for goal in goals]

    def seconds(self, paths: HandPaths) -> np.ndarray:
        """Time to the end, (candidates,), s."""
        ends = self.expected(paths) if self.ends is None else self.ends
        miss = ends - self.way.goal
        aside = np.abs(miss @ np.array([-self.way.toward[1], self.way.toward[0]]))
        wrong = RETRY_S * (1.0 - np.exp(-0.5 * (aside / ASIDE_M) ** 2))
        found: np.ndarray = np.linalg.norm(miss, axis=-1) / SPEED_M_S + wrong + LEAVE_S
        return found

    def expected(self, paths: HandPaths) -> np.ndarray:
        """Where geometry brings the thing, (candidates, 2)."""
        return np.stack([carried(path, self.place) for path in paths.tool])

    def showing(self, places: np.ndarray) -> Stroking:
        """The same, with what is imagined of the thing, (candidates, 2)."""
        return replace(self, ends=places)


@dataclass(frozen=True, eq=False)
class Rising:
    """Up, to where the thing can be looked at."""

    def moves(self, hand: Hand) -> list[Move]:
        """Straight up."""
        return [Move(np.append(hand.tool[:2], OVER_M + 0.02), None, 1.0)]

    def seconds(self, paths: HandPaths) -> np.ndarray:
        """Time to the end, (candidates,), s."""
        found: np.ndarray = np.maximum(OVER_M - paths.end[:, 2], 0.0) / SPEED_M_S
        return found
