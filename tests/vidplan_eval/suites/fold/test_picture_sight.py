# SPDX-License-Identifier: Apache-2.0
"""Folding by what pictures show: with an arm that follows exactly the rule comes to its end."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vidplan_core.data.observation import Observation
from vidplan_core.errors import TargetNotFoundError
from vidplan_core.geometry.se3 import matrix_to_quaternion
from vidplan_core.planner.target.cloth import ClothSighting, Covered
from vidplan_core.planner.target.outline import Square
from vidplan_eval.suites.fold.picture_sight import PictureSight, nearest_reached
from vidplan_sim.arm.kinematics import down_rotation, tcp_to_flange
from vidplan_sim.expert.folding import FoldView, decide_fold

MIDDLE, YAW = np.array([0.52, 0.05]), 0.3
STEP_S = 0.4


def seen(side_m: float = 0.2, share: float = 1.0) -> ClothSighting:
    """A square of which a share is covered, in one view that is mounted on the wrist."""
    along = np.linspace(-side_m / 2, side_m / 2, 41)
    flat = np.stack(np.meshgrid(along[: round(41 * share)], along), axis=-1).reshape(-1, 2)
    c, s = np.cos(YAW), np.sin(YAW)
    places = flat @ np.array([[c, s], [-s, c]]) + MIDDLE
    return ClothSighting({'wrist': Covered(places, True, 0.02)})


class Sight(PictureSight):
    """Sees a square, and half of it once something was let go."""

    def __init__(self, *shares: float, side_m: float = 0.2) -> None:
        """`shares` of it are seen after each release, the last for ever."""
        super().__init__(None, None)  # type: ignore[arg-type]
        self.shares, self.side_m, self.releases, self.goals = list(shares), side_m, 0, [0.0]

    def _seen(self, present: Observation) -> ClothSighting:
        share = 1.0 if not self.releases else self.shares[min(self.releases, len(self.shares)) - 1]
        return seen(self.side_m, share)


def observed(tool: np.ndarray, yaw: float, now_s: float) -> Observation:
    rotation = down_rotation(yaw)
    quaternion = matrix_to_quaternion(torch.from_numpy(rotation)).numpy()
    image = np.zeros((3, 3, 3), np.uint8)
    place = tcp_to_flange(tool, rotation)
    return Observation(now_s, image, np.zeros(7), np.zeros(7), 0.0, place, quaternion)


def follow(sight: Sight, cycles: int = 60) -> tuple[list[str], FoldView]:
    """Phases of the rule until it is done, and its last view."""
    tool, yaw, phases, closed = np.array([0.5, 0.1, 0.18]), 0.1, [], False
    for cycle in range(cycles):
        view = sight.view(observed(tool, yaw, STEP_S * cycle))
        decision, phase = decide_fold(view)
        sight.decided(decision, STEP_S * cycle)
        phases.append(phase)
        if phase == 'done':
            break
        sight.releases += closed and decision.closedness < 0.5
        closed = decision.closedness > 0.5
        tool, yaw = tool + decision.displacement, yaw + decision.turn_rad
    return phases, view


def test_it_folds_what_it_sees_and_looks_whether_it_did() -> None:
    phases, view = follow(Sight(0.5))
    assert phases[-1] == 'done'
    assert phases.count('close') < 6
    diagonal = 0.2 * np.sqrt(2)
    start = view.far[:2] + diagonal * view.toward
    np.testing.assert_allclose(0.5 * (start + view.far[:2]), MIDDLE, atol=0.004)


def test_it_begins_anew_where_as_much_is_seen_as_before() -> None:
    phases, _ = follow(Sight(1.0, 0.5), cycles=80)
    assert phases[-1] == 'done'
    ends = [k for k, phase in enumerate(phases) if phase == 'release' and phases[k + 1] != phase]
    assert len(ends) == 2


def test_what_is_too_small_for_a_towel_is_refused() -> None:
    with pytest.raises(TargetNotFoundError, match=r'side of 0\.10 m'):
        follow(Sight(0.5, side_m=0.1))


def test_a_towel_out_of_reach_is_refused() -> None:
    with pytest.raises(TargetNotFoundError, match='within reach'):
        nearest_reached(Square(np.array([0.9, 0.0]), 0.2, 0.2), np.array([0.5, 0.0, 0.2]))
