# SPDX-License-Identifier: Apache-2.0
"""A rule that pushes a thing along the table, decided every 0.4 s as the other experts do.

Closed fingers go over the side opposite to the way, down to the table, and straight through the
thing until it is where it should be.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidplan_sim.expert.decision import Decision

OVER_M, LOW_M = 0.15, 0.02  # heights of the tool: over all things; while it pushes
PUSH_M, ENOUGH_M = 0.10, 0.085  # the way that is asked for, and where a stroke may end
# From the thing's centre: where the fingers go down, and where they touch it.
BEHIND_M, TOUCH_M = 0.09, 0.045
BESIDE_M, ASIDE_M = 0.015, 0.02
STROKE_M, REACH_M = 0.08, 0.14  # of one chunk
CLOSED = 0.9


@dataclass(frozen=True)
class PushView:
    """A moment as the rule sees it; places in the base frame, m.

    tool: tool centre point (3,).
    place: centre (2,) of the thing; before: where it was at the start, (2,).
    toward: unit vector (2,) of the way that it is to go.
    closed: how far the fingers are.
    """

    tool: np.ndarray
    place: np.ndarray
    before: np.ndarray
    toward: np.ndarray
    closed: float

    @property
    def moved_m(self) -> float:
        """How far it has gone along the way."""
        return float((self.place - self.before) @ self.toward)

    @property
    def heading(self) -> np.ndarray:
        """Unit vector (2,) from the thing to where it should lie."""
        way = self.before + PUSH_M * self.toward - self.place
        far_m = float(np.linalg.norm(way))
        found: np.ndarray = self.toward if far_m < 0.02 else way / far_m
        return found


def push_done(view: PushView) -> bool:
    """Whether it was pushed far enough and the hand is over it."""
    return view.moved_m >= ENOUGH_M and bool(view.tool[2] > OVER_M - 0.02)


def decide_push(view: PushView) -> tuple[Decision, str]:
    """The next motion and the phase that it belongs to."""
    if push_done(view):
        return Decision(np.zeros(3), 0.0, 1.0), 'done'
    up = np.append(view.tool[:2], OVER_M)
    if view.moved_m >= ENOUGH_M:
        return _go(view, up), 'leave'
    ahead, aside = _beside(view)
    low = view.tool[2] < LOW_M + 0.02
    if low and -BEHIND_M - 0.02 < ahead < 0.0 and abs(aside) < ASIDE_M:
        left_m = PUSH_M - view.moved_m
        move = min(STROKE_M, left_m + max(-ahead - TOUCH_M, 0.0))
        goal = np.append(view.tool[:2] + move * view.heading, LOW_M)
        return _go(view, goal), 'stroke'
    behind = view.place - BEHIND_M * view.heading
    if float(np.linalg.norm(view.tool[:2] - behind)) < BESIDE_M and view.closed > CLOSED:
        return _go(view, np.append(behind, LOW_M)), 'descend'
    if view.tool[2] < OVER_M - 0.04:
        return _go(view, up), 'rise'
    return _go(view, np.append(behind, OVER_M)), 'approach'


def _beside(view: PushView) -> tuple[float, float]:
    """How far the tool is ahead of the thing along its heading, and to its left, m."""
    return beside(view.tool[:2] - view.place, view.heading)


def beside(gap: np.ndarray, heading: np.ndarray) -> tuple[float, float]:
    """How far a gap (2,) goes along a heading (2,), and to its left, m."""
    return float(gap @ heading), float(heading[0] * gap[1] - heading[1] * gap[0])


def stroke_place(tool: np.ndarray, place: np.ndarray, heading: np.ndarray) -> np.ndarray:
    """Where (2,) a thing is once a tool (3,) has gone along a heading (2,) to where it is."""
    ahead, aside = beside(tool[:2] - place, heading)
    low = tool[2] < LOW_M + 0.03
    met = low and abs(aside) < TOUCH_M and -TOUCH_M < ahead < STROKE_M
    pushed = ahead + TOUCH_M if met else 0.0
    found: np.ndarray = place + pushed * heading
    return found



def _go(view: PushView, goal: np.ndarray) -> Decision:
    """Towards a place (3,) as far as one chunk reaches."""
    move = goal - view.tool
    move = move * min(1.0, REACH_M / max(float(np.linalg.norm(move)), 1e-6))
    return Decision(move, 0.0, 1.0)
