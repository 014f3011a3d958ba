# SPDX-License-Identifier: Apache-2.0
"""Plans come from one planner, whose node ROS may not know by name yet."""

from __future__ import annotations

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('vidplan_msgs.msg', reason='needs the built workspace')

from vidplan.tasks.plan_gate import PlanGate
from vidplan_core.errors import CommandRejectedError
from vidplan_msgs.msg import Plan

NAMELESS = '_NODE_NAMESPACE_UNKNOWN_/_NODE_NAME_UNKNOWN_'


@pytest.mark.parametrize('first', ['/planner', NAMELESS])
def test_a_planner_stays_the_one_when_its_name_comes_later(first: str) -> None:
    gate = PlanGate('base', 9)
    for number, name in enumerate((first, '/planner', '/planner'), 1):
        gate.check_writers([name])
        gate.on_accepted(Plan(plan_id=number), [name])
    for writers in (['/stranger'], ['/planner', '/stranger'], ['/planner', NAMELESS], []):
        with pytest.raises(CommandRejectedError, match='WRONG_WRITER'):
            gate.check_writers(writers)
