# SPDX-License-Identifier: Apache-2.0
"""Where a thing lies while the hand that comes to take it hides a part of it."""

from __future__ import annotations

import pytest
import torch

from vidplan_core.heads.grounding import InstructionGrounding
from vidplan_core.planner.target.resting import LOOKS, RestingTarget

LIES = torch.tensor([0.5, 0.1, 0.02])
BOWL = torch.tensor([0.6, -0.2, 0.03])
FAR, NEAR = LIES + torch.tensor([0.0, 0.0, 0.15]), LIES + torch.tensor([0.0, 0.0, 0.04])


def look(place: torch.Tensor, certainty: float = 1.0) -> InstructionGrounding:
    things = torch.stack([place, BOWL])
    places = torch.cat([things, torch.tensor([[certainty], [1.0]])], 1)[None]
    return InstructionGrounding(torch.zeros(1, 3), torch.zeros(1), places)


def seen(memory: RestingTarget, place: torch.Tensor, tool: torch.Tensor, grip: float = 0.0,
         certainty: float = 1.0) -> torch.Tensor:  # fmt: skip
    found = memory.settled(look(place, certainty), tool, grip)
    assert found.places is not None
    torch.testing.assert_close(found.places[0, 1, :3], BOWL)
    return found.places[0, 0, :3]


def aside(metres: float) -> torch.Tensor:
    return LIES + torch.tensor([metres, 0.0, 0.0])


def test_near_the_hand_it_lies_where_it_was_seen_from_afar() -> None:
    memory = RestingTarget()
    for off in (0.01, -0.01, 0.0):
        torch.testing.assert_close(seen(memory, aside(off), FAR), aside(off))
    torch.testing.assert_close(seen(memory, aside(0.04), NEAR), LIES)


@pytest.mark.parametrize('looks', [1, 2])
def test_two_looks_say_that_it_has_moved(looks: int) -> None:
    memory = RestingTarget()
    seen(memory, LIES, FAR)
    for _ in range(looks):
        found = seen(memory, aside(0.1), NEAR)
    torch.testing.assert_close(found, LIES if looks == 1 else aside(0.1))


@pytest.mark.parametrize(('grip', 'certainty'), [(1.0, 1.0), (0.0, 0.3)])
def test_what_was_grasped_or_not_seen_is_not_remembered(grip: float, certainty: float) -> None:
    memory = RestingTarget()
    seen(memory, LIES, FAR, grip, certainty)
    torch.testing.assert_close(seen(memory, aside(0.04), NEAR), aside(0.04))


def test_old_looks_are_forgotten() -> None:
    memory = RestingTarget()
    for _ in range(LOOKS):
        seen(memory, LIES, FAR)
    for _ in range(LOOKS):
        seen(memory, aside(0.03), FAR)
    torch.testing.assert_close(seen(memory, LIES, NEAR), aside(0.03))


def test_without_places_nothing_is_known() -> None:
    bare = InstructionGrounding(torch.zeros(1, 3), torch.zeros(1))
    assert RestingTarget().settled(bare, FAR, 0.0) is bare


def test_what_is_seen_clearly_counts_near_the_hand_too() -> None:
    memory = RestingTarget()
    seen(memory, LIES, FAR)
    found = memory.settled(look(aside(0.02)), NEAR, 0.0, clear=True)
    assert found.places is not None
    torch.testing.assert_close(found.places[0, 0, :3], aside(0.02))
