# SPDX-License-Identifier: Apache-2.0
"""What the fingers hold moves with them between the look and the start of a plan."""

from __future__ import annotations

import pytest
import torch

from tests.fakes.tiny import down
from vidplan_core.data.action import PoseChunk
from vidplan_core.geometry.fk import tcp_position
from vidplan_core.heads.grounding import InstructionGrounding, carried_along

MOVE = torch.tensor([0.03, -0.05, 0.02])


def hand(position: torch.Tensor, closedness: float) -> PoseChunk:
    return PoseChunk(
        position.expand(1, 1, 3), down().expand(1, 1, 3, 3), torch.tensor([[closedness]])
    )


@pytest.mark.parametrize(
    ('commanded', 'measured', 'beside_m', 'moves'),
    [
        (1.0, 0.6, 0.01, True),
        (1.0, 1.0, 0.01, False),  # closed on nothing
        (0.0, 0.6, 0.01, False),  # letting go
        (1.0, 0.0, 0.01, False),  # only begins to close
        (1.0, 0.6, 0.20, False),  # holds something else
    ],
)
def test_only_what_is_held_moves(
    commanded: float, measured: float, beside_m: float, moves: bool
) -> None:
    there = torch.tensor([0.5, 0.0, 0.4])
    tool = tcp_position(there[None], down()[None])[0]
    target = tool + torch.tensor([beside_m, 0.0, 0.0])
    places = torch.stack([torch.cat([target, torch.ones(1)]), torch.full((4,), 0.3)])[None]
    grounding = InstructionGrounding(torch.zeros(1, 3), torch.zeros(1, 2, 3, 2), places)
    seen, later = hand(there, measured), hand(there + MOVE, measured)
    found = carried_along(grounding, seen, later, commanded).places
    assert found is not None
    expected = target + MOVE if moves else target
    torch.testing.assert_close(found[0, 0, :3], expected)
    torch.testing.assert_close(found[0, 1], places[0, 1])
