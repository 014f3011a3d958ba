# SPDX-License-Identifier: Apache-2.0
"""The folding rule: what it decides in which moment; with an arm that follows exactly it folds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vidplan_sim.expert.folding import (
    FOLDED_M,
    GRASP_INSIDE_M,
    HALF_DIAGONAL_M,
    FoldView,
    arc_point,
    decide_fold,
    fold_done,
    hand_yaw,
)


def lying(yaw: float = 0.0, x: float = 0.5) -> FoldView:
    """A towel whose corner at `yaw` is to be moved, the arm somewhere above."""
    outward = np.array([np.cos(yaw), np.sin(yaw)])
    middle = np.array([x, 0.0])
    tip, far = (np.append(middle + s * HALF_DIAGONAL_M * outward, 0.003) for s in (1, -1))
    tool = np.array([0.5, 0.1, 0.18])
    return FoldView(tool, 0.1, tip, outward, far, outward, 0.0, 0.0, False)


def followed(view: FoldView) -> FoldView:
    """The moment after a decision that an ideal arm and an ideal grasp carried out."""
    decision, _ = decide_fold(view)
    goal = decision.closedness
    tool, held = view.tool + decision.displacement, view.held
    tip = tool + [*(GRASP_INSIDE_M * view.outward), -0.007] if held else view.tip
    if goal > 0.5:
        held = held or bool(np.linalg.norm(view.grasp - view.tool) < 0.01)
    if goal < 0.5 and held:
        held, tip = False, view.far
    after = replace(view, tool=tool, yaw=view.yaw + decision.turn_rad, tip=tip)
    return replace(after, goal=goal, set_point=goal, held=held)


@pytest.mark.parametrize('yaw', np.linspace(-np.pi, np.pi, 9))
def test_folds_from_any_turn(yaw: float) -> None:
    view, phases = lying(float(yaw)), []
    for _ in range(30):
        phases.append(decide_fold(view)[1])
        if phases[-1] == 'done':
            break
        view = followed(view)
    assert fold_done(view), phases
    order = list(dict.fromkeys(phases))
    assert order[:4] == ['approach', 'descend', 'close', 'lift']
    assert order[-3:] == ['release', 'leave', 'done']


def test_opens_where_it_closed_around_nothing() -> None:
    view = lying()
    view = replace(view, tool=view.grasp, goal=1.0, set_point=1.0)
    decision, phase = decide_fold(view)
    assert (phase, decision.closedness) == ('release', 0.0)


def test_waits_until_the_fingers_are_closed() -> None:
    view = replace(lying(), goal=1.0, set_point=0.6, held=True)
    decision, phase = decide_fold(view)
    assert phase == 'close'
    assert not decision.displacement.any()


def test_goes_up_first_where_it_is_low_and_beside() -> None:
    view = replace(lying(), tool=np.array([0.5, 0.0, 0.01]))
    decision, _ = decide_fold(view)
    assert decision.displacement[2] > 0.05
    assert not decision.displacement[:2].any()


def test_the_arc_ends_short_of_the_other_corner() -> None:
    view = lying(0.3)
    end = arc_point(view, np.pi)
    tip = end[:2] - GRASP_INSIDE_M * view.outward
    assert 0.0 < (tip - view.far[:2]) @ view.toward < FOLDED_M / 2
    assert arc_point(view, np.pi / 2)[2] > 0.05


def test_open_fingers_leave_out_of_the_fold_and_not_into_it() -> None:
    view = lying(0.7)
    end = arc_point(view, np.pi)
    decision, phase = decide_fold(replace(view, tool=end, tip=view.far))
    assert phase == 'leave'
    assert decision.displacement[:2] @ view.toward < -0.05
    assert decision.displacement[2] > 0.02
    assert decision.closedness == 0.0


@pytest.mark.parametrize('angle', np.linspace(-3.1, 3.1, 7))
def test_the_hand_turns_across_the_diagonal_within_the_joint(angle: float) -> None:
    yaw = hand_yaw(np.array([np.cos(angle), np.sin(angle)]), 0.0)
    assert abs(yaw) <= np.pi / 2 + 0.2
    assert np.sin(yaw - angle) == pytest.approx(0.0, abs=1e-9)
