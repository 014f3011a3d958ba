# SPDX-License-Identifier: Apache-2.0
"""Plans from where the arm rests or will be, and ways to spoil one."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from vidplan.ros.conversions import pose_message, stamp
from vidplan_core.data.readings import seconds
from vidplan_core.geometry.fk import flange_pose
from vidplan_core.geometry.se3 import matrix_to_quaternion
from vidplan_msgs.msg import AdapterStatus, Plan

Array = NDArray[np.float64]

# Somewhere over the table, m; how far a plan leads at most, m; frames and their period, s.
_LOWER, _UPPER = (0.36, -0.25, 0.4), (0.56, 0.25, 0.6)
_STEP_M, _FRAMES, _PERIOD_S = 0.24, 9, 0.2
# A plan that would be no good motion is not sent: shortest way, m.
_SHORT_M = 0.12
# A plan begins so long after it was sent, s; one that joins a motion, later.
_SOON_S, _JOIN_S = 0.05, 0.25


class RandomPlans:
    """Draws plans with the gripper down; equal seeds draw equal ones from equal places."""

    def __init__(self, random: np.random.Generator) -> None:
        self._random, self._last_id = random, 0

    def from_rest(self, q: Array, now_s: float) -> Plan:
        """A plan of 1.6 s from where an arm rests at joint angles (7,), rad."""
        position, rotation = flange_pose(torch.from_numpy(np.array(q)))
        here, quaternion = position.numpy(), matrix_to_quaternion(rotation).numpy()
        way = np.zeros(3)
        while np.linalg.norm(way) < _SHORT_M:
            way = self._random.uniform(_LOWER, _UPPER) - here
        way *= min(1.0, _STEP_M / float(np.linalg.norm(way)))
        part = np.linspace(0.0, 1.0, _FRAMES)[:, None]
        return self._plan(here + part**2 * (3 - 2 * part) * way, quaternion, now_s, _SOON_S)

    def joining(self, status: AdapterStatus, now_s: float) -> Plan:
        """A plan that goes on from where the arm will be in a moment."""
        ahead_s = np.array(status.committed_times_s) + seconds(status.header.stamp)
        row = int(np.abs(ahead_s - now_s - _JOIN_S).argmin())
        pose = status.committed_poses[row]
        here = np.array([pose.position.x, pose.position.y, pose.position.z])
        turn = pose.orientation
        quaternion = np.array([turn.x, turn.y, turn.z, turn.w])
        return self._plan(here[None].repeat(_FRAMES, 0), quaternion, now_s, _JOIN_S)

    def _plan(self, positions: Array, quaternion: Array, now_s: float, soon_s: float) -> Plan:
        self._last_id += 1
        plan = Plan(plan_id=self._last_id, frame_period_s=_PERIOD_S, closedness=[0.0] * _FRAMES)
        plan.header.stamp, plan.header.frame_id = stamp(now_s), 'base'
        plan.observation_stamp, plan.start_time = stamp(now_s - 0.05), stamp(now_s + soon_s)
        plan.poses = [pose_message(position, quaternion) for position in positions]
        return plan


def _not_a_number(plan: Plan) -> None:
    plan.poses[2].position.y = math.nan


def _no_rotation(plan: Plan) -> None:
    turn = plan.poses[1].orientation
    turn.x = turn.y = turn.z = turn.w = 0.0


def _huge(plan: Plan) -> None:
    plan.poses = plan.poses[:1] * 20_000


def _other_frame(plan: Plan) -> None:
    plan.header.frame_id = 'world'


def _old(plan: Plan) -> None:
    plan.observation_stamp = stamp(seconds(plan.observation_stamp) - 5.0)


def _lower_id(plan: Plan) -> None:
    plan.plan_id = 0


def _far_future(plan: Plan) -> None:
    plan.start_time = stamp(seconds(plan.start_time) + 60.0)


def _elsewhere(plan: Plan) -> None:
    for pose in plan.poses:
        pose.position.y += 0.08


def _hasty(plan: Plan) -> None:
    place = plan.poses[2].position
    place.y -= math.copysign(0.2, place.y)  # not out of the workspace, which is named instead


def _outside(plan: Plan) -> None:
    for pose in plan.poses[1:]:
        pose.position.x += 1e3


def _long(plan: Plan) -> None:
    plan.frame_period_s = 0.9


# By rows of docs/safety.md: how a plan is spoiled, and by which names it is refused.
SPOILED: dict[str, tuple[Callable[[Plan], None], tuple[str, ...]]] = {
    'plan_nan': (_not_a_number, ('NONFINITE',)),
    'plan_absurd': (_no_rotation, ('INVALID',)),
    'plan_huge': (_huge, ('WRONG_SIZE',)),
    'plan_frame': (_other_frame, ('WRONG_FRAME',)),
    'plan_old': (_old, ('STALE',)),
    'plan_low_id': (_lower_id, ('OUT_OF_ORDER',)),
    'plan_future': (_far_future, ('FUTURE',)),
    'plan_jump': (_elsewhere, ('JUMP',)),
    'plan_fast': (_hasty, ('SPEED',)),
    'plan_outside': (_outside, ('WORKSPACE',)),
    'plan_long': (_long, ('TOO_LONG',)),
}
