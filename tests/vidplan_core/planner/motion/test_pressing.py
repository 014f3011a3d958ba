# SPDX-License-Identifier: Apache-2.0
"""An arm that is not where it was sent presses on something."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.vidplan_core.control.arm import START_Q, plan_from, ready
from tests.vidplan_core.planner.looks import looks
from vidplan_core.control.commands import CommittedMotion
from vidplan_core.data.observation import Observation
from vidplan_core.planner.motion.committed import BEFORE_S
from vidplan_core.planner.motion.pressing import PRESSED_RAD, presses


@pytest.mark.parametrize(('behind', 'pressed'), [(0.0, False), (0.5, False), (1.5, True)])
@pytest.mark.parametrize('later_s', [0.0, 0.05, 0.1])
def test_a_joint_that_is_behind_presses(behind: float, pressed: bool, later_s: float) -> None:
    present, committed = look_and_motion(later_s, behind)
    assert presses(committed, present) is pressed


def test_nobody_knows_where_it_was_sent_long_before() -> None:
    present, committed = look_and_motion(2 * BEFORE_S, 1.5)
    assert not presses(committed, present)


def look_and_motion(later_s: float, behind: float) -> tuple[Observation, CommittedMotion]:
    """A look, and the motion of a status some time later, while it is under way."""
    adapter, _ = ready()
    adapter.on_plan(plan_from(adapter, 0.0, (0.0, 0.0, -0.05)), 0.0)
    sent = adapter._timeline.desired(0.2)[0]
    off = np.zeros(7)
    off[5] = behind * PRESSED_RAD
    present = replace(looks()[-1], stamp_s=0.2, q=sent - off)
    return present, adapter.committed(0.2 + later_s)


def test_nobody_presses_who_was_sent_nowhere() -> None:
    assert not presses(None, replace(looks()[-1], q=START_Q))
