# SPDX-License-Identifier: Apache-2.0
"""An expert that decides every 0.4 s on a chunk of 0.8 s from what it sees now and nothing else.

Without memory it can take over from any moment, also from one that a failure left behind, and say
how long it would still need.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from vidplan_sim.expert.decision import PICK, REACH, Decision, PickPlaceTask
from vidplan_sim.expert.script import IN_BOWL_HEIGHT_M, lies_in_bowl

REACH_M, TURN_RAD = 0.14, 0.9  # the most of one chunk
DECISION_FRAMES = 2  # a chunk is replaced halfway
OVER_M, TRAVEL_M, RELEASE_M = 0.06, 0.20, 0.13
AT_M, AT_RAD, DEPTH_M = 0.012, 0.12, 0.010  # where the fingers may close
BESIDE_M, BESIDE_RAD = 0.020, 0.25  # where the hand may go down
OVER_BOWL_M = 0.025
LIFTED_M = 0.04
DROP_M = 0.07  # from the bowl's middle: what is let go there falls into it
PHASES = ('approach', 'descend', 'close', 'lift', 'carry', 'lower', 'release', 'done')


@dataclass(frozen=True)
class View:
    """A moment as the expert sees it; places in the base frame, m and rad.

    tool: tool centre point (3,).
    yaw: of the hand about the vertical.
    target: centre (3,) of the target; grasp: where the fingers should close, (3,).
    grasp_yaw: hand yaw that closes across it, the nearest of both.
    bowl: its centre (3,).
    goal: closedness commanded last; set_point: how far that command has got.
    held: whether both fingers hold the target.
    lying_m: height of the target's centre where it lay.
    velocity: of the tool (3,), m/s.
    """

    tool: np.ndarray
    yaw: float
    target: np.ndarray
    grasp: np.ndarray
    grasp_yaw: float
    bowl: np.ndarray
    goal: float
    set_point: float
    held: bool
    lying_m: float
    velocity: np.ndarray = field(default_factory=lambda: np.zeros(3))

    @property
    def closing(self) -> bool:
        """Whether the fingers are still on their way to being closed."""
        return self.goal > 0.5 and self.set_point < 0.999

    @property
    def in_bowl(self) -> bool:
        """Whether the target's centre is inside the bowl's rim."""
        return lies_in_bowl(self.target, self.bowl)

    @property
    def falling(self) -> bool:
        """Whether the target was let go over the bowl and is on its way into it."""
        apart = float(np.linalg.norm((self.target - self.bowl)[:2]))
        high = bool(self.target[2] > IN_BOWL_HEIGHT_M)
        return self.goal < 0.5 and not self.held and apart < DROP_M and high

    def shifted(self, offset: np.ndarray, turn_rad: float) -> View:
        """The same moment with the place to grasp moved by (3,) m and turned."""
        return replace(self, grasp=self.grasp + offset, grasp_yaw=self.grasp_yaw + turn_rad)


def done(view: View, task: PickPlaceTask) -> bool:
    """Whether the task is fulfilled."""
    if task.verb == REACH:
        return bool(np.linalg.norm((view.tool - view.grasp)[:2]) < BESIDE_M)
    if task.verb == PICK:
        return view.held and bool(view.target[2] > view.lying_m + LIFTED_M)
    return view.in_bowl and not view.held


def decide(view: View, task: PickPlaceTask) -> tuple[Decision, str]:
    """The next motion and the phase that it belongs to."""
    if done(view, task):
        return _stay(view.goal), 'done'
    if task.verb == REACH:
        return go(view, _over(view), 0.0), 'approach'
    if view.closing:
        return _stay(1.0), 'close'
    if view.held:
        return _with_target(view, task)
    if view.falling:
        return _stay(0.0), 'release'
    if view.goal > 0.2:  # closed around nothing
        return go(view, view.tool + [0.0, 0.0, 0.05], 0.0, turn=False), 'release'
    return _without_target(view)


def _without_target(view: View) -> tuple[Decision, str]:
    gap = view.grasp - view.tool
    beside, turn = float(np.hypot(gap[0], gap[1])), abs(view.grasp_yaw - view.yaw)
    if beside < AT_M and turn < AT_RAD and abs(gap[2]) < DEPTH_M and view.set_point < 0.3:
        return _stay(1.0), 'close'
    if beside < BESIDE_M and turn < BESIDE_RAD:
        return go(view, view.grasp, 0.0), 'descend'
    low = view.tool[2] < view.grasp[2] + OVER_M - 0.03
    if low and beside > 2 * BESIDE_M:  # up first: sideways would push the target
        return go(view, np.append(view.tool[:2] + 0.3 * gap[:2], _over(view)[2]), 0.0), 'approach'
    return go(view, _over(view), 0.0), 'approach'


def _with_target(view: View, task: PickPlaceTask) -> tuple[Decision, str]:
    up = np.append(view.tool[:2], TRAVEL_M)
    if task.verb == PICK:
        return go(view, up, 1.0, turn=False), 'lift'
    gap = view.bowl - view.tool
    # What hangs below the fingers must clear the rim.
    release = max(RELEASE_M, 0.075 + view.tool[2] - view.target[2] + view.lying_m)
    if float(np.hypot(gap[0], gap[1])) < OVER_BOWL_M:
        if view.tool[2] < release + 0.015:
            return _stay(0.0), 'release'
        return go(view, np.append(view.bowl[:2], release), 1.0, turn=False), 'lower'
    if view.tool[2] < TRAVEL_M - 0.05:
        return go(view, up, 1.0, turn=False), 'lift'
    return go(view, np.append(view.bowl[:2], TRAVEL_M), 1.0, turn=False), 'carry'


def _over(view: View) -> np.ndarray:
    return np.append(view.grasp[:2], max(view.grasp[2] + OVER_M, 0.10))


def _stay(closedness: float) -> Decision:
    return Decision(np.zeros(3), 0.0, closedness)


def go(view: View, goal: np.ndarray, closedness: float, *, turn: bool = True) -> Decision:
    """Go towards a place (3,), as far as one chunk reaches, and turn to where it is grasped."""
    move = np.asarray(goal) - view.tool
    move = move * min(1.0, REACH_M / max(float(np.linalg.norm(move)), 1e-6))
    angle = float(np.clip(view.grasp_yaw - view.yaw, -TURN_RAD, TURN_RAD)) if turn else 0.0
    return Decision(move, angle, closedness)
