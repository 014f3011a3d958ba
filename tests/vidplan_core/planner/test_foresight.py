# SPDX-License-Identifier: Apache-2.0
"""The next look is compared with what was imagined of it, where the arm did what was imagined."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.vidplan_core.planner.looks import looks
from tests.vidplan_core.planner.test_session import ALL_HERE, Bench, motion
from vidplan_core.data.observation import Observation
from vidplan_core.errors import UnexpectedOutcomeError
from vidplan_core.heads.anomaly.unexpected import SurpriseConfig
from vidplan_core.heads.bundle import Heads
from vidplan_core.heads.uncertainty import UncertaintyHead

SPEED_M_S = 0.1


class FixedHead(UncertaintyHead):
    """Finds everything equally improbable, or a corner of the second view more so."""

    def __init__(self, nats: float = 1.0, corner: float = 0.0) -> None:
        torch.nn.Module.__init__(self)
        self.nats, self.corner, self.frames = nats, corner, list[int]()

    def improbability(self, imagination: Any, frame: int, seen: Tensor) -> Tensor:
        self.frames.append(frame)
        found = torch.full_like(seen, self.nats)
        found[..., 4:7, :3] += self.corner
        return found


def bench(head: UncertaintyHead, **knobs: Any) -> Bench:
    return Bench([ALL_HERE], Heads(head), surprise=SurpriseConfig(**knobs))


def later(time_s: float, aside_m: float = 0.0) -> list[Observation]:
    """What the arm of `motion` shows after some time."""
    seen = looks(first_s=looks()[0].stamp_s + time_s)
    way = np.array([SPEED_M_S * time_s, aside_m, 0.0])
    return [replace(one, position=one.position + way) for one in seen]


def follow(made: Bench, seen: list[Observation]) -> dict[str, float]:
    """Terms of the plan after a motion has been followed up to a look."""
    first = looks()
    made.plan(first, motion(first, SPEED_M_S))
    return made.plan(seen, motion(seen, SPEED_M_S)).terms


@pytest.mark.parametrize(
    ('time_s', 'aside_m', 'frames'),
    [
        (0.4, 0.0, [2]), (0.22, 0.0, [1]), (0.43, 0.0, [2]), (0.6, 0.0, []), (0.4, 0.02, []),
        (0.3, 0.0, []),
    ],
    ids=['next', 'early', 'a_little_late', 'after_the_hand_over', 'elsewhere', 'between'],
)  # fmt: skip
def test_only_what_the_arm_did_as_imagined_is_compared(
    time_s: float, aside_m: float, frames: list[int]
) -> None:
    head = FixedHead()
    terms = follow(bench(head), later(time_s, aside_m))
    assert head.frames == frames
    assert ('surprise' in terms) == bool(frames)


@pytest.mark.fault('outcome')
def test_a_view_that_came_out_otherwise_ends_the_goal_by_name() -> None:
    with pytest.raises(UnexpectedOutcomeError, match=r"view 'left' .* 6\.0 nats, allowed 2\.5"):
        follow(bench(FixedHead(6.0)), later(0.4))


@pytest.mark.parametrize('knobs', [{'stop_on_surprise': False}, {'surprising_looks': 2}])
def test_that_is_told_where_it_does_not_end_the_goal(knobs: dict[str, Any]) -> None:
    made = bench(FixedHead(6.0), **knobs)
    assert follow(made, later(0.4))['surprise'] == pytest.approx(6.0)
    assert 'was the camera moved' in made.planner.situations[-1].notes[0]


def test_looks_in_a_row_are_counted_and_others_begin_anew() -> None:
    head = FixedHead(6.0)
    made = bench(head, surprising_looks=2)
    follow(made, later(0.4))
    head.nats = 1.0
    made.plan(later(0.8), motion(later(0.8), SPEED_M_S))
    head.nats = 6.0
    made.plan(later(1.2), motion(later(1.2), SPEED_M_S))
    with pytest.raises(UnexpectedOutcomeError):
        made.plan(later(1.6))


def test_a_part_of_a_view_is_told_and_never_ends_the_goal() -> None:
    made = bench(FixedHead(1.0, corner=4.5))
    terms = follow(made, later(0.4))
    assert terms['part_surprise'] > 5.0 > 2.5 > terms['surprise']
    assert "a part of view 'right'" in made.planner.situations[-1].notes[0]


@pytest.mark.parametrize('heads', [Heads(), Heads(FixedHead())], ids=['no_head', 'at_rest'])
def test_nothing_is_said_where_nothing_was_imagined(heads: Heads) -> None:
    made = Bench([ALL_HERE], heads)
    made.plan()
    assert made.plan(later(0.4)).terms == {'known': 1.0}
