# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from vidplan_core.control.franka.robot_state import (
    GUIDING,
    IDLE,
    MOVE,
    OTHER,
    RECOVERING,
    REFLEX,
    USER_STOPPED,
    RobotState,
)


@pytest.mark.parametrize(('state', 'reason', 'says'), [
    (RobotState(REFLEX, last_errors=('cartesian_reflex',)), 'ROBOT_REFLEX', 'cartesian_reflex'),
    (RobotState(MOVE, ('power_limit_violation',)), 'ROBOT_REFLEX', 'power_limit_violation'),
    (RobotState(USER_STOPPED), 'ROBOT_STOPPED', 'emergency stop'),
    (RobotState(GUIDING), 'ROBOT_STOPPED', 'by hand'),
    (RobotState(IDLE), 'ROBOT_NOT_READY', 'adapter/recover'),
    (RobotState(RECOVERING), 'ROBOT_NOT_READY', 'recovers'),
    (RobotState(OTHER), 'ROBOT_NOT_READY', 'Desk'),
    (RobotState(77), 'ROBOT_NOT_READY', 'Desk'),
    (RobotState(MOVE, collisions=('joint 4',)), 'CONTACT', 'joint 4'),
])  # fmt: skip
@pytest.mark.fault('reflex', 'stopped_by_hand', 'robot_idle', 'contact')
def test_what_forbids_to_move_is_named(state: RobotState, reason: str, says: str) -> None:
    found = state.fault(stop_on_contact=False)
    assert found is not None
    assert found[0] == reason
    assert says in found[1]


def test_an_old_error_does_not_hinder_a_robot_that_moves() -> None:
    assert RobotState(MOVE, last_errors=('cartesian_reflex',)).fault(True) is None


@pytest.mark.parametrize('stop_on_contact', [True, False])
def test_a_light_contact_stops_where_that_is_wanted(stop_on_contact: bool) -> None:
    felt = RobotState(MOVE, contacts=('z',)).fault(stop_on_contact)
    assert (felt is not None) is stop_on_contact
