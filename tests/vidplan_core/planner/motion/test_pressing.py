# SPDX-License-Identifier: Apache-2.0
"""An arm that is not where it was sent presses on something."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.vidplan_core.control.arm import START_Q, plan_from, ready
from tests.vidplan_core.planner.looks import looks
from vidplan_core.planner.motion.pressing import PRESSED_RAD, presses


@pytest.mark.parametrize(('behind', 'pressed'), [(0.0, False), (0.5, False), (1.5, True)])
def test_a_joint_that_is_behind_presses(behind: float, pressed: bool) -> None:
    adapter, _ = ready()
    adapter.on_plan(plan_from(adapter, 0.0, (0.0, 0.0, -0.05)), 0.0)
    committed = adapter.committed(0.2)
    sent = adapter._timeline.desired(0.2)[0]
    off = np.zeros(7)
    off[5] = behind * PRESSED_RAD
    present = replace(looks()[-1], stamp_s=0.2, q=sent - off)
    assert presses(committed, present) is pressed


def test_nobody_presses_who_was_sent_nowhere() -> None:
    assert not presses(None, replace(looks()[-1], q=START_Q))
