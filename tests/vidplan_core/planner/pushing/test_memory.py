# SPDX-License-Identifier: Apache-2.0
"""With an arm that follows exactly, looks and the best moves push a thing to the end."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from vidplan_core.errors import NoProgressError
from vidplan_core.planner.tasks.hand import Hand, HandPaths
from vidplan_core.planner.tasks.pushing.memory import PushLook, PushMemory, PushStage
from vidplan_core.planner.tasks.pushing.stages import Looking, Stroking
from vidplan_core.planner.tasks.pushing.way import HEADINGS, PushWay, carried

REACH_M = 0.14


@dataclass
class ExactArm:
    """An arm that goes where it is told, and a thing that low fingers carry.

    Attributes:
        way: in which it is pushed.
        slips: how far it goes to the left of every stroke that moves it, m.
        stuck: whether nothing moves it.
    """

    way: str
    slips: float = 0.0
    stuck: bool = False
    place: np.ndarray = field(default_factory=lambda: np.array([0.5, 0.05]))
    hand: Hand = field(default_factory=lambda: Hand(np.array([0.5, -0.05, 0.18]), 0.0, 0.0))
    memory: PushMemory = field(default_factory=PushMemory)

    def cycle(self) -> PushStage:
        """Look, choose the best move, and make it before the next look."""
        look = PushLook(self.place, self.way, 'mug', self.hand, self.hand, self.hand.grip)
        stage = self.memory.stage(look, most_attempts=1)
        moves = stage.moves(self.hand)
        paths = np.stack([self._path(move.goal) for move in moves])
        flat = np.zeros(len(moves))
        best = int(stage.seconds(HandPaths(paths, flat, flat + 1.0)).argmin())
        moved = carried(paths[best], self.place) - self.place
        if not self.stuck:
            self.place = self.place + moved + self.slips * np.array([-moved[1], moved[0]])
        self.hand = Hand(paths[best, -1], 0.0, 1.0)
        return stage

    def _path(self, goal: np.ndarray) -> np.ndarray:
        way = goal - self.hand.tool
        way = way * min(1.0, REACH_M / max(float(np.linalg.norm(way)), 1e-6))
        return self.hand.tool + np.linspace(0.0, 1.0, 5)[:, None] * way


def ended(arm: ExactArm) -> bool:
    """Whether it is done within some cycles."""
    return any(isinstance(stage, Looking) and stage.done for stage in map(
        lambda _: arm.cycle(), range(40)
    ))  # fmt: skip


@pytest.mark.parametrize('way', HEADINGS)
@pytest.mark.parametrize('slips', [0.0, 0.3, -0.3])
def test_a_thing_is_pushed_along_every_way(way: str, slips: float) -> None:
    arm = ExactArm(way, slips)
    assert ended(arm)
    along, aside = PushWay(np.array([0.5, 0.05]), np.array(HEADINGS[way])).moved(arm.place)
    assert along > 0.07
    assert aside < 0.04
    assert arm.hand.tool[2] > 0.12


def test_what_cannot_be_moved_is_named() -> None:
    with pytest.raises(NoProgressError, match='the mug has gone 0 of 10 cm'):
        ended(ExactArm('left', stuck=True))


def test_strokes_are_judged_by_what_is_imagined_where_it_is() -> None:
    """Geometry prefers the straight stroke; an imagination in which that goes aside does not."""
    way, hand = PushWay(np.array([0.5, 0.0]), np.array([1.0, 0.0])), Hand(
        np.array([0.41, 0.0, 0.02]), 0.0, 1.0
    )
    stage = Stroking(way, way.before)
    moves = stage.moves(hand)
    ends = np.stack([move.goal for move in moves])
    paths = hand.tool + np.linspace(0.0, 1.0, 5)[:, None] * (ends - hand.tool)[:, None]
    flat = np.zeros(len(moves))
    seconds = stage.seconds(HandPaths(paths, flat, flat + 1.0))
    best = int(seconds.argmin())
    shown = np.repeat(way.goal[None], len(moves), 0)
    shown[best] += [0.0, 0.06]
    judged = stage.showing(shown)
    assert int(judged.seconds(HandPaths(paths, flat, flat + 1.0)).argmin()) != best
