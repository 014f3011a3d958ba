# SPDX-License-Identifier: Apache-2.0
"""The loop in simulated time: its schedule, its ends, its log."""

from __future__ import annotations

import numpy as np
import pytest

from tests.fakes.fake_world import FakeWorld, OracleSystem
from vidplan_core.errors import ModelError
from vidplan_eval.lockstep import DONE, LEAD_S, REST_S, TIME_LIMIT, LockStep, Pace

GOAL = np.array([0.5, 0.1, 0.35])


def follow(system: OracleSystem, world: FakeWorld, **pace):
    return LockStep(system, world, Pace(2, **pace)).follow('move to the carrot')


def test_it_goes_there_and_says_so():
    world = FakeWorld()
    run = follow(OracleSystem(GOAL), world)
    assert run.reason == DONE
    assert np.allclose(world.place, GOAL, atol=0.01)
    assert world.at_rest
    assert world.stopped_at
    assert len(run.latencies_s) == len(run.log.plans) == len(world.executed) + 1


def test_plans_are_handed_over_just_before_they_take_over():
    world, system = FakeWorld(), OracleSystem(GOAL)
    follow(system, world)
    for handed_s, observed_s, start_s in world.executed:
        assert start_s == pytest.approx(observed_s + 0.4)
        assert handed_s == pytest.approx(start_s - LEAD_S)
    assert np.diff(system.planned) == pytest.approx(0.4)


@pytest.mark.parametrize(('execute', 'period_s'), [(2, 0.4), (3, 0.6), (4, 0.8)])
def test_the_next_plan_waits_for_the_executed_frames(execute, period_s):
    system = OracleSystem(GOAL, stubborn=True)
    follow(system, FakeWorld(), execute_frames=execute, limit_s=6.0)
    assert np.diff(system.planned) == pytest.approx(period_s)


def test_every_model_frame_is_looked_at_once():
    world = FakeWorld()
    run = follow(OracleSystem(GOAL), world)
    looks = np.array(world.looks)
    # A plan is handed over between frames, so only whole periods separate the looks.
    assert np.diff(looks).min() > 0.15
    assert [frame.stamp_s for frame in run.log.seen] == pytest.approx(looks[1:])


def test_the_time_limit_leaves_time_to_rest():
    world = FakeWorld()
    run = follow(OracleSystem(GOAL, stubborn=True), world, limit_s=5.0)
    assert run.reason == TIME_LIMIT
    assert 5.0 - 2 * REST_S < run.duration_s <= 5.0
    assert world.at_rest


def test_a_target_that_is_not_there_moves_nothing():
    world = FakeWorld()
    run = follow(OracleSystem(GOAL, visible=('fish',)), world)
    assert run.reason == 'TARGET_NOT_FOUND'
    assert 'carrot' in run.error
    assert not world.executed
    assert not world.stopped_at


def test_a_named_error_on_the_way_brings_the_arm_to_rest():
    world = FakeWorld()
    run = follow(OracleSystem(GOAL, error=ModelError('broken')), world)
    assert (run.reason, run.error) == ('INVALID_MODEL', 'broken')
    assert world.stopped_at


def test_two_runs_are_equal():
    logs = [follow(OracleSystem(GOAL), FakeWorld()).log for _ in range(2)]
    first, second = ([(p.start_s, p.position.tolist()) for p in log.plans] for log in logs)
    assert first == second
