# SPDX-License-Identifier: Apache-2.0
"""With an arm that follows exactly, looks and the best moves fold a cloth to the end."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from vidplan_core.errors import NoProgressError, TargetNotFoundError
from vidplan_core.planner.target.cloth import ClothSighting, Covered
from vidplan_core.planner.tasks.folding.halves import folded
from vidplan_core.planner.tasks.folding.memory import ClothLook, ClothMemory
from vidplan_core.planner.tasks.folding.stages import Stage, Waiting
from vidplan_core.planner.tasks.folding.way import FoldWay
from vidplan_core.planner.tasks.hand import Hand, HandPaths, Move

MIDDLE, YAW, SIDE_M = np.array([0.52, 0.05]), 0.3, 0.2
CLOSED_M, OPENED = 0.96, 0.0
REACH_M, TURN_RAD = 0.14, 0.9


def flat(side_m: float = SIDE_M) -> np.ndarray:
    """Points of the cloth on the table."""
    along = np.linspace(-side_m / 2, side_m / 2, 61)
    points = np.stack(np.meshgrid(along, along), axis=-1).reshape(-1, 2)
    c, s = np.cos(YAW), np.sin(YAW)
    return points @ np.array([[c, s], [-s, c]]) + MIDDLE


@dataclass
class ExactArm:
    """An arm that goes where it is told and fingers that close on a given thickness.

    Attributes:
        holds: measured closedness of closed fingers.
        folds: whether the cloth is the half of it once it was let go.
        side_m: of the cloth.
        reaches: whether the arm comes everywhere.
    """

    holds: float = CLOSED_M
    folds: bool = True
    side_m: float = SIDE_M
    reaches: bool = True
    hand: Hand = field(default_factory=lambda: Hand(np.array([0.5, 0.1, 0.18]), 0.1, 0.0))
    measured: tuple[float, float] = (OPENED, OPENED)
    carried: FoldWay | None = None
    memory: ClothMemory = field(default_factory=ClothMemory)
    stages: list[str] = field(default_factory=list)

    def cycle(self) -> Stage:
        """Look, choose the best move, and make half of it, which is when the next plan is made."""
        stage = self.memory.stage(self._look(), most_attempts=1)
        self.stages.append(type(stage).__name__)
        if self.memory.way is not None:
            self.carried = self.memory.way
        moves = stage.moves(self.hand)
        ends = np.stack([self._end(move) for move in moves])
        yaws = np.array([self._yaw(move) for move in moves])
        steps = np.linspace(0.0, 1.0, 5)[:, None]
        paths = self.hand.tool + steps * (ends - self.hand.tool)[:, None]
        grips = np.array([move.grip for move in moves])
        best = int(stage.seconds(HandPaths(paths, yaws, grips)).argmin())
        closed = self.holds if moves[best].grip > 0.5 else OPENED
        self.measured = closed, self.measured[0]
        self.hand = Hand(ends[best], float(yaws[best]), moves[best].grip)
        return stage

    def _end(self, move: Move) -> np.ndarray:
        way = move.goal - self.hand.tool
        return self.hand.tool + way * min(1.0, REACH_M / max(float(np.linalg.norm(way)), 1e-6))

    def _yaw(self, move: Move) -> float:
        turn = 0.0 if move.yaw is None else move.yaw - self.hand.yaw
        return self.hand.yaw + float(np.clip(turn, -TURN_RAD, TURN_RAD))

    def _look(self) -> ClothLook:
        return ClothLook(
            self._see, self.measured, self.hand, self.hand, 'wrist', lambda way: self.reaches
        )

    def _see(self) -> ClothSighting:
        points = flat(self.side_m)
        if self.folds and self.memory.released and self.carried is not None:
            points = folded(points, self.carried)
        view = Covered(points, True, 0.02)
        return ClothSighting({'left': view, 'wrist': view})


def follow(scene: ExactArm, cycles: int = 60) -> Stage:
    """Cycles until it is done."""
    for _ in range(cycles):
        stage = scene.cycle()
        if isinstance(stage, Waiting) and stage.done:
            return stage
    raise AssertionError(f'not done after {cycles} cycles: {scene.stages}')


def test_it_reaches_carries_leaves_and_sees_that_it_is_done() -> None:
    scene = ExactArm()
    follow(scene)
    order = [k for i, k in enumerate(scene.stages) if k != ['', *scene.stages][i]]
    assert order == ['Reaching', 'Waiting', 'Carrying', 'Leaving', 'Waiting']
    assert scene.memory.overlap > 0.9
    assert scene.carried is not None
    np.testing.assert_allclose(0.5 * (scene.carried.tip + scene.carried.far), MIDDLE, atol=0.006)
    assert float(np.linalg.norm(scene.carried.tip - scene.carried.far)) == pytest.approx(
        SIDE_M * np.sqrt(2), abs=0.012
    )


def test_fingers_that_closed_on_nothing_open_and_it_is_tried_again_but_not_for_ever() -> None:
    scene = ExactArm(holds=1.0)
    with pytest.raises(NoProgressError, match='after 2 attempts'):
        follow(scene)
    assert 'Carrying' not in scene.stages
    assert scene.hand.grip == 0.0


def test_what_was_let_go_and_does_not_look_folded_is_not_done() -> None:
    scene = ExactArm(folds=False)
    with pytest.raises(NoProgressError, match=r'covers 0\.5\d of the half'):
        follow(scene, cycles=120)


def test_what_is_too_small_for_a_towel_is_refused_after_some_looks() -> None:
    scene = ExactArm(side_m=0.1)
    with pytest.raises(TargetNotFoundError, match=r'side of 0\.10 m'):
        follow(scene)
    assert set(scene.stages) == {'Waiting'}


def test_a_cloth_out_of_reach_is_refused() -> None:
    scene = ExactArm(reaches=False)
    with pytest.raises(TargetNotFoundError, match='within reach'):
        follow(scene)
