# SPDX-License-Identifier: Apache-2.0
"""The loop that commands an arm once a millisecond, with an arm and a link that are made up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.vidplan.robots.franka.fake_fci import CYCLE_S, FakeFci
from vidplan.robots.franka.fci_arm import FciState
from vidplan.robots.franka.fci_link import FciReport, Follow, Recover
from vidplan.robots.franka.fci_loop import FciLoop
from vidplan_core.control.franka.robot_state import MOVE, REFLEX
from vidplan_core.geometry.robot_files import default_robot

ROBOT = default_robot()
HOME, REST = np.array(ROBOT.home), np.zeros((1, 7))


class FakeLink:
    """Says what is due, by the number of the loop's question; keeps what it hears."""

    def __init__(self) -> None:
        self.due: dict[int, Any] = {}
        self.reports: list[FciReport] = []
        self.asked = 0
        self.is_left = False

    def say(self, message: FciReport) -> None:
        self.reports.append(message)

    def hear(self) -> Any:
        self.asked += 1
        return self.due.pop(self.asked, None)

    def wait(self, timeout_s: float) -> Any:
        del timeout_s
        return self.hear()


def follow(away_rad: float, duration_s: float = 1.0) -> Follow:
    return Follow(None, np.array([duration_s]), (HOME + away_rad)[None], REST, REST)


def run(
    arm: FakeFci, link: FakeLink, cycles: int, report_s: float = 0.01, waits: bool = True
) -> FciLoop:
    clock, steady = None if waits else lambda: arm.wall_s, lambda: arm.wall_s
    loop = FciLoop(arm, link, ROBOT.hard_limits, report_s, clock, steady)  # type: ignore[arg-type]
    arm.at[cycles] = lambda: setattr(loop, 'ending', True)
    loop.run()
    return loop


def test_it_follows_and_reports() -> None:
    arm, link = FakeFci(), FakeLink()
    link.due[100] = follow(0.2)
    run(arm, link, 1500)
    np.testing.assert_allclose(arm.commands[-1], HOME + 0.2)
    assert len(link.reports) == pytest.approx(150, abs=5)
    assert link.reports[-1].state.mode == MOVE
    assert arm.ended


def test_it_ends_at_rest_when_nobody_is_left() -> None:
    arm, link = FakeFci(), FakeLink()
    link.due[100] = follow(0.2)
    arm.at[300] = lambda: setattr(link, 'is_left', True)
    run(arm, link, 5000)
    np.testing.assert_allclose(arm.commands[-1], HOME + 0.2)
    np.testing.assert_allclose(arm.commands[-1], arm.commands[-2], atol=1e-7)


def test_what_cannot_be_joined_is_refused_and_told() -> None:
    arm, link = FakeFci(), FakeLink()
    link.due |= {100: follow(0.2), 600: follow(-0.5, 0.05)}
    run(arm, link, 1500)
    np.testing.assert_allclose(arm.commands[-1], HOME + 0.2)
    assert link.reports[-1].refusals == 1
    assert 'LIMIT' in link.reports[-1].refusal


def test_after_missing_commands_it_goes_on_from_where_the_arm_went() -> None:
    arm, link = FakeFci(), FakeLink()
    link.due[100] = follow(0.2)
    there: list[FciState] = []

    def miss() -> None:
        arm.missed = 15
        arm.at[arm.cycles + 1] = lambda: there.append(arm.state)

    arm.at[400] = miss
    run(arm, link, 2500)
    (state,) = there  # after the first command that came again
    velocity = (arm.commands[400 - 1] - arm.commands[400 - 2]) / CYCLE_S
    assert np.abs(state.dq - velocity).max() < 0.05
    np.testing.assert_allclose(arm.commands[-1], HOME + 0.2)


@pytest.mark.parametrize('cycles', [1, 15])
def test_commands_that_are_lost_on_the_way_leave_no_step(cycles: int) -> None:
    arm, link = FakeFci(), FakeLink()
    link.due[100] = follow(0.2)
    arm.at[400] = lambda: setattr(arm, 'loses', cycles)
    run(arm, link, 2500)
    assert np.abs(np.diff(arm.path, 2, axis=0)).max() < 10 * CYCLE_S**2
    np.testing.assert_allclose(arm.commands[-1], HOME + 0.2)


def test_a_gap_right_after_a_trajectory_was_joined_leaves_no_step() -> None:
    arm, link = FakeFci(), FakeLink()
    link.due |= {100: follow(0.2), 400: follow(0.1)}
    arm.at[401] = lambda: setattr(arm, 'missed', 1)
    run(arm, link, 2500)
    assert np.abs(np.diff(arm.path, 2, axis=0)).max() < 10 * CYCLE_S**2
    np.testing.assert_allclose(arm.commands[-1], HOME + 0.1)


def test_a_state_that_was_handed_over_too_late_is_not_answered() -> None:
    arm, link = FakeFci(), FakeLink()
    link.due[100] = follow(0.2)

    def hold() -> None:
        arm.held_s = 0.005
        arm.at[arm.cycles + 1] = lambda: setattr(arm, 'missed', 4)

    arm.at[400] = hold
    run(arm, link, 1500, waits=False)
    assert len(arm.commands) == 1498 - 1
    assert np.abs(np.diff(arm.path, 2, axis=0)).max() < 10 * CYCLE_S**2


@pytest.mark.parametrize(('waits', 'commands'), [(True, 998), (False, 998 - 50)])
def test_an_arm_that_is_slow_is_answered(waits: bool, commands: int) -> None:
    arm, link = FakeFci(), FakeLink()
    arm.at |= {cycle: lambda: setattr(arm, 'held_s', 0.005) for cycle in range(400, 500)}
    run(arm, link, 1000, waits=waits)
    assert len(arm.commands) == commands


def test_after_a_reflex_nothing_is_commanded_until_somebody_asks() -> None:
    arm, link = FakeFci(), FakeLink()
    link.due |= {100: follow(0.2), 600: follow(0.0)}
    arm.at[300] = lambda: arm.reflex('cartesian_reflex')
    run(arm, link, 2000)
    commanded = len(arm.commands)
    assert commanded < 300
    assert arm.recovered == 0
    assert link.reports[-1].state.mode == REFLEX
    assert 'cartesian_reflex' in link.reports[-1].problem
    assert 'not commanded' in link.reports[-1].refusal


def test_it_recovers_where_the_arm_then_is() -> None:
    arm, link = FakeFci(), FakeLink()
    link.due |= {100: follow(0.2), 400: Recover(), 600: follow(0.0)}
    arm.at[600] = lambda: arm.reflex('cartesian_reflex')
    link.due |= {900: Recover(), 1200: follow(0.1)}
    run(arm, link, 4000)
    assert arm.recovered == 1
    np.testing.assert_allclose(arm.commands[-1], HOME + 0.1)
    assert not link.reports[-1].problem


def test_an_arm_that_is_not_idle_at_the_start_is_not_commanded() -> None:
    arm, link = FakeFci(), FakeLink()
    arm.reflex('joint_reflex')
    link.due[50] = follow(0.1)
    run(arm, link, 200)
    assert not arm.commands
    assert link.reports[-1].refusals == 1
