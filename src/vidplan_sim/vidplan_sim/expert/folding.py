# SPDX-License-Identifier: Apache-2.0
"""A rule that folds a towel along its diagonal, decided every 0.4 s as the other experts do.

The fingers go down on both sides of a corner, where the cloth is narrower than they are open,
close, and carry the corner over the towel's middle onto the corner opposite.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from vidplan_sim.expert.decision import Decision
from vidplan_sim.objects.cloth import RADIUS_M, SIDE_M

HALF_DIAGONAL_M = SIDE_M / np.sqrt(2)
GRASP_INSIDE_M = 0.012  # of the corner, along the diagonal
# A fold that is drawn taut rolls on and drags the towel along: the corner stays short of where it
# would lie flat, and slides the rest when the fold sinks down.
SHORT_M = 0.012
# Heights of the fingertips; below 8 mm fingers press on the table and stick to it half open.
GRASP_M, RELEASE_M = 0.010, 0.020
LEAVE_M, LEFT_M = (0.10, 0.05), 0.035  # forward and up in one chunk, until the tool is so high
BEFORE_M, LOW_M = 0.006, 0.030  # of the end of the arc: where the fingers may let go
OVER_M, CLEAR_M = 0.10, 0.10
ARC_M = 0.075  # height of the arc
ARC_STEP_RAD = 0.9  # of the half turn, the most of one chunk
REACH_M, TURN_RAD = 0.14, 0.9
AT_M, AT_RAD, DEPTH_M = 0.006, 0.08, 0.0012
BESIDE_M, BESIDE_RAD = 0.012, 0.2
FOLDED_M = 0.03  # between the corners of a folded towel
OPEN = 0.4  # an opening hand has let go below this set point


@dataclass(frozen=True)
class FoldView:
    """A moment as the rule sees it; places in the base frame, m and rad.

    tool: tool centre point (3,); yaw: of the hand about the vertical.
    tip: the corner (3,) to be moved; outward: unit vector (2,) along which it points.
    far: the corner (3,) that it is to lie on; toward: unit vector (2,) from there to the middle.
    goal: closedness commanded last; set_point: how far that command has got.
    held: whether both fingers hold the cloth.
    velocity: of the tool (3,), m/s.
    """

    tool: np.ndarray
    yaw: float
    tip: np.ndarray
    outward: np.ndarray
    far: np.ndarray
    toward: np.ndarray
    goal: float
    set_point: float
    held: bool
    velocity: np.ndarray = field(default_factory=lambda: np.zeros(3))

    @property
    def closing(self) -> bool:
        """Whether the fingers are still on their way to being closed."""
        return self.goal > 0.5 and self.set_point < 0.999

    @property
    def grasp(self) -> np.ndarray:
        """Where the fingers should close, (3,)."""
        height = max(GRASP_M, self.tip[2] + GRASP_M - RADIUS_M)
        return np.append(self.tip[:2] - GRASP_INSIDE_M * self.outward, height)

    @property
    def folded(self) -> bool:
        """Whether one corner lies on the other."""
        return bool(np.linalg.norm(self.tip - self.far) < FOLDED_M)

    @property
    def beside_far(self) -> bool:
        """Whether the tool is where a corner was let go."""
        return bool(np.linalg.norm((self.tool - self.far)[:2]) < 2 * FOLDED_M)


def _leaving(view: FoldView) -> np.ndarray:
    """Out (3,) of the fold: open fingers may be under cloth beside them, which they would lift."""
    return np.append(-LEAVE_M[0] * view.toward, LEAVE_M[1])


def fold_done(view: FoldView) -> bool:
    """Whether the towel is folded and the hand is away from it."""
    return view.folded and not view.held and bool(view.tool[2] > CLEAR_M)


def decide_fold(view: FoldView) -> tuple[Decision, str]:
    """The next motion and the phase that it belongs to."""
    if fold_done(view):
        return _stay(view.goal), 'done'
    if view.closing:
        return _stay(1.0), 'close'
    if view.held and view.goal > 0.5:
        return _along_arc(view)
    if view.goal > 0.5 or view.set_point > OPEN:  # closed around nothing, or letting go
        return _stay(0.0), 'release'
    if view.beside_far and view.tool[2] < LEFT_M:
        return _go(view, view.tool + _leaving(view), 0.0), 'leave'
    if view.folded:
        return _go(view, view.tool + [0.0, 0.0, 0.12], 0.0), 'leave'
    return _to_corner(view)


def arc_point(view: FoldView, angle: float) -> np.ndarray:
    """Where the tool (3,) carries the corner: angle 0 over where it lay, pi over the other."""
    radius = HALF_DIAGONAL_M - GRASP_INSIDE_M
    along = HALF_DIAGONAL_M + radius * np.cos(angle) + SHORT_M * angle / np.pi
    height = GRASP_M + (RELEASE_M - GRASP_M) * angle / np.pi + ARC_M * np.sin(angle)
    return np.append(view.far[:2] + along * view.toward, height)


def hand_yaw(outward: np.ndarray, near: float) -> float:
    """Hand yaw that closes the fingers across a diagonal, the nearest to `near` that is free."""
    yaw = float(np.arctan2(outward[1], outward[0]))
    turned = yaw + np.pi * np.round((near - yaw) / np.pi)
    # Half a turn gives the same grasp; keep the last joint well inside its range.
    while abs(turned) > np.pi / 2 + 0.2:
        turned -= np.pi * np.sign(turned)
    return float(turned)


def _along_arc(view: FoldView) -> tuple[Decision, str]:
    radius = HALF_DIAGONAL_M - GRASP_INSIDE_M
    along = float((view.tool[:2] - view.far[:2]) @ view.toward) - HALF_DIAGONAL_M
    angle = float(np.arccos(np.clip(along / radius, -1.0, 1.0)))
    end = arc_point(view, np.pi)
    if float((end - view.tool)[:2] @ view.toward) > -BEFORE_M and view.tool[2] < LOW_M:
        return _stay(0.0), 'release'
    goal = arc_point(view, min(angle + ARC_STEP_RAD, np.pi))
    phase = 'lift' if angle < 1.2 else 'carry' if angle < 2.4 else 'lower'
    return _go(view, goal, 1.0), phase


def _to_corner(view: FoldView) -> tuple[Decision, str]:
    grasp = view.grasp
    gap, yaw = grasp - view.tool, hand_yaw(view.outward, view.yaw)
    beside, turn = float(np.hypot(gap[0], gap[1])), abs(yaw - view.yaw)
    if beside < AT_M and turn < AT_RAD and abs(gap[2]) < DEPTH_M:
        return _stay(1.0), 'close'
    if beside < BESIDE_M and turn < BESIDE_RAD:
        return _go(view, grasp, 0.0, yaw), 'descend'
    over = np.append(grasp[:2], OVER_M)
    if view.tool[2] < 0.5 * OVER_M and beside > 2 * BESIDE_M:  # up first, not through the cloth
        over[:2] = view.tool[:2]
    return _go(view, over, 0.0, yaw), 'approach'


def _stay(closedness: float) -> Decision:
    return Decision(np.zeros(3), 0.0, closedness)


def _go(
    view: FoldView, goal: np.ndarray, closedness: float, yaw: float | None = None
) -> Decision:
    move = np.asarray(goal) - view.tool
    move = move * min(1.0, REACH_M / max(float(np.linalg.norm(move)), 1e-6))
    turn = 0.0 if yaw is None else float(np.clip(yaw - view.yaw, -TURN_RAD, TURN_RAD))
    return Decision(move, turn, closedness)
