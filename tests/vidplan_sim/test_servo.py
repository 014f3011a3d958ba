# SPDX-License-Identifier: Apache-2.0
"""The simulated arm's servos: a push dies out, and torques keep their limits."""

from __future__ import annotations

import numpy as np
import pytest

from vidplan_sim.arm.servo import ArmServos
from vidplan_sim.cell import Cell
from vidplan_sim.scene import Scene
from vidplan_sim.world import build_model

# Where the wrist once went to and fro for ever after a touch.
Q = (0.0621, 0.0167, 0.0594, -2.462, -0.0016, 2.4785, 0.9809)


@pytest.mark.parametrize('joint', range(7))
def test_a_push_dies_out(joint: int) -> None:
    cell = Cell(32, 32)
    cell.reset(Scene(0, (), q_start=Q))
    state = cell.save()
    state.physics[1 + cell._model.nq + joint] = 0.3
    cell.restore(state)
    assert cell.dq[joint] == 0.3
    cell.step(0.5)
    np.testing.assert_allclose(cell.dq, 0.0, atol=2e-3)
    np.testing.assert_allclose(cell.q, Q, atol=1e-3)


def test_a_control_within_the_limit_is_left_alone() -> None:
    servos, q, rest = ArmServos(build_model()), np.array(Q), np.zeros(7)
    np.testing.assert_array_equal(servos.control(q, rest, q + 1e-3, rest), q + 1e-3)


@pytest.mark.parametrize('speed', [-0.5, 0.0, 0.5])
def test_no_torque_is_above_the_limit(speed: float) -> None:
    model = build_model()
    servos, q, dq = ArmServos(model), np.array(Q), np.full(7, speed)
    control = servos.control(q, dq, q + 1.0, np.zeros(7))
    torque = model.actuator_gainprm[:7, 0] * (control - q) + model.actuator_biasprm[:7, 2] * dq
    np.testing.assert_allclose(torque, model.jnt_actfrcrange[:7, 1])
