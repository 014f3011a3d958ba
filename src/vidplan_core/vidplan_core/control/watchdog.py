# SPDX-License-Identifier: Apache-2.0
"""Decides when the arm must rest because somebody has fallen silent."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vidplan_core.errors import ConfigError

FINE = 'FINE'
NO_JOINT_STATE = 'NO_JOINT_STATE'
STALE_JOINT_STATE = 'STALE_JOINT_STATE'
PLAN_OVERDUE = 'PLAN_OVERDUE'

# Two computers' clocks may disagree by this much.
AHEAD_S = 0.1


@dataclass(frozen=True)
class Verdict:
    """Whether the arm must rest, and why.

    Attributes:
        rest: True when it must come to rest, or stay there.
        reason: one of this module's constants.
        message: what is wrong, and what would be right.
    """

    rest: bool
    reason: str = FINE
    message: str = ''


@dataclass(frozen=True)
class Watchdog:
    """Knows how long silence may last; keeps no state.

    Attributes:
        joint_state_timeout_s: longest age of a joint state that commands may build on, s.
    """

    joint_state_timeout_s: float = 0.25

    def __post_init__(self) -> None:
        if not 0 < self.joint_state_timeout_s < math.inf:
            raise ConfigError(
                f'joint_state_timeout_s must be > 0, got {self.joint_state_timeout_s}'
            )

    def check(
        self,
        now_s: float,
        joint_state_s: float | None,
        rest_at_s: float | None,
        arrived_s: float = math.inf,
    ) -> Verdict:
        """Judge the silence at a time.

        Args:
            now_s: the present.
            joint_state_s: stamp of the newest joint state, None when none ever came.
            rest_at_s: when the trajectory that was last sent ends, None when none was.
            arrived_s: when the joint state came; what is stamped ahead is as old as that.
        """
        if joint_state_s is None:
            return Verdict(True, NO_JOINT_STATE, 'no joint state has come; is the robot running?')
        if joint_state_s > now_s + AHEAD_S:
            return Verdict(
                True,
                STALE_JOINT_STATE,
                f'the newest joint state is stamped {joint_state_s - now_s:.3f} s ahead; are the '
                'clocks of robot and planning machine set?',
            )
        # Written so that a NaN counts as old.
        age_s = now_s - min(joint_state_s, arrived_s)
        if not age_s <= self.joint_state_timeout_s:
            return Verdict(
                True,
                STALE_JOINT_STATE,
                f'the newest joint state is {age_s:.3f} s old, '
                f'allowed {self.joint_state_timeout_s:.3f} s',
            )
        if rest_at_s is not None and now_s >= rest_at_s:
            return Verdict(
                True,
                PLAN_OVERDUE,
                f'the last trajectory ended {now_s - rest_at_s:.3f} s ago; no new plan has come',
            )
        return Verdict(False)
