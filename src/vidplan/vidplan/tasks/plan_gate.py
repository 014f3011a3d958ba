# SPDX-License-Identifier: Apache-2.0
"""Which plans may be looked at: of one planner, of the right frame, in order, small enough."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from rclpy.serialization import deserialize_message

from vidplan_core.control.rejection import OUT_OF_ORDER, WRONG_SIZE
from vidplan_core.data.readings import seconds
from vidplan_core.errors import CommandRejectedError
from vidplan_msgs.msg import Plan

# Nobody converts more than this; a plan of 64 frames with 1024 scores is a tenth of it.
_MOST_BYTES = 100_000


def read_plan(data: bytes) -> Plan:
    """Return the message; raises CommandRejectedError before anything large is converted."""
    if len(data) > _MOST_BYTES:
        raise CommandRejectedError(
            WRONG_SIZE, f'the message of the plan has {len(data)} bytes, allowed {_MOST_BYTES}'
        )
    return cast(Plan, deserialize_message(data, Plan))


# What ROS calls a node that it has not heard of yet, though of its publisher.
_NAMELESS = '_NODE_NAME_UNKNOWN_'


class PlanGate:
    """Checks what only messages and their writers show.

    Until `reset`, plans are taken from one planner only: the first whose plan was accepted.
    """

    def __init__(self, base_frame: str, max_frames: int) -> None:
        """Let plans in a frame pass that have at most so many poses."""
        self._base_frame, self._max_frames = base_frame, max_frames
        self.reset()

    def reset(self) -> None:
        """Forget the planner, all plans and stops."""
        self._planner = ''
        self._last_plan_id = 0
        self._stopped_s = -1.0

    @property
    def last_plan_id(self) -> int:
        """Id of the plan that was accepted last, 0 for none."""
        return self._last_plan_id

    def on_stop(self, now_s: float) -> None:
        """Refuse plans that were published until now."""
        self._stopped_s = now_s

    def on_accepted(self, plan: Plan, writers: Sequence[str]) -> None:
        """Refuse plans of this or a lower id, and of anybody else, from now on."""
        self._last_plan_id = plan.plan_id
        if not writers[0].endswith(_NAMELESS):  # its node's name comes later than its plans
            self._planner = writers[0]

    def check_writers(self, writers: Sequence[str]) -> None:
        """Raise CommandRejectedError unless plans can only come from the one planner.

        Args:
            writers: full names of the nodes that publish plans.
        """
        if not writers or set(writers) != {self._planner or writers[0]}:
            raise CommandRejectedError(
                'WRONG_WRITER',
                f'plans come from {", ".join(sorted(set(writers))) or "nobody known"}, expected '
                f'{self._planner or "one planner"} alone; end the others, or activate the adapter '
                'anew for another planner',
            )

    def check(self, plan: Plan, now_s: float) -> None:
        """Raise CommandRejectedError for a plan that must not be followed."""
        counts = len(plan.poses), len(plan.closedness)
        if max(counts) > self._max_frames:
            raise CommandRejectedError(
                WRONG_SIZE,
                f'a plan has 2 .. {self._max_frames} frames, got {counts[0]} poses and '
                f'{counts[1]} of the gripper',
            )
        if plan.header.frame_id != self._base_frame:
            raise CommandRejectedError(
                'WRONG_FRAME',
                f'poses are in frame {plan.header.frame_id!r}, expected {self._base_frame!r}',
            )
        if plan.plan_id <= self._last_plan_id:
            raise CommandRejectedError(
                OUT_OF_ORDER,
                f'plan id {plan.plan_id} is not above that of the last plan, {self._last_plan_id}',
            )
        # The plan and the stop travel separately: a plan that was under way when the arm was
        # stopped must not move it again. A stop of the future is one before the clock restarted.
        published_s = seconds(plan.header.stamp)
        if published_s <= self._stopped_s <= now_s:
            raise CommandRejectedError(
                OUT_OF_ORDER,
                f'published {self._stopped_s - published_s:.3f} s before the arm was stopped',
            )
