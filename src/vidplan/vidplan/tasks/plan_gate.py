# SPDX-License-Identifier: Apache-2.0
"""Which plans may be looked at: of the right frame, in order, not from before a stop."""

from __future__ import annotations

from vidplan_core.control.rejection import OUT_OF_ORDER
from vidplan_core.data.readings import seconds
from vidplan_core.errors import CommandRejectedError
from vidplan_msgs.msg import Plan


class PlanGate:
    """Checks what only the order of messages shows."""

    def __init__(self, base_frame: str) -> None:
        self._base_frame = base_frame
        self.reset()

    def reset(self) -> None:
        """Forget all plans and stops."""
        self._last_plan_id = 0
        self._stopped_s = -1.0

    @property
    def last_plan_id(self) -> int:
        """Id of the plan that was accepted last, 0 for none."""
        return self._last_plan_id

    def on_stop(self, now_s: float) -> None:
        """Refuse plans that were published until now."""
        self._stopped_s = now_s

    def on_accepted(self, plan: Plan) -> None:
        """Refuse plans of this or a lower id from now on."""
        self._last_plan_id = plan.plan_id

    def check(self, plan: Plan, now_s: float) -> None:
        """Raise CommandRejectedError for a plan that must not be followed."""
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
