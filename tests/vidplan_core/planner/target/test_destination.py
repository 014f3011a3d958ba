# SPDX-License-Identifier: Apache-2.0
"""One look that a hand spoils moves no destination; one that was moved is followed."""

from __future__ import annotations

import pytest
import torch

from vidplan_core.heads.grounding import InstructionGrounding
from vidplan_core.planner.target.destination import LOOKS, DestinationMemory

BOWL = (0.5, 0.1, 0.03)
AWAY, LOW = torch.tensor([0.4, -0.3, 0.2]), torch.tensor([0.45, 0.0, 0.05])
ABOVE = torch.tensor([0.5, 0.05, 0.2])


def look(place: tuple[float, float, float], certainty: float = 1.0) -> InstructionGrounding:
    target = [0.4, 0.0, 0.02, 0.9]
    places = torch.tensor([[target, [*place, certainty]]])
    return InstructionGrounding(torch.zeros(1, 3), torch.zeros(1, 2, 3, 2), places)


def settled(
    memory: DestinationMemory, *looks: InstructionGrounding, tool: torch.Tensor = AWAY
) -> torch.Tensor:
    for one in looks[:-1]:
        memory.settled(one, tool)
    places = memory.settled(looks[-1], tool).places
    assert places is not None
    return places[0]


@pytest.mark.parametrize('off', [(0.6, 0.1, 0.03), (0.5, -0.2, 0.2)])
def test_one_look_that_is_off_changes_nothing(off: tuple[float, float, float]) -> None:
    places = settled(DestinationMemory(), look(BOWL), look(BOWL), look(off))
    torch.testing.assert_close(places[1, :3], torch.tensor(BOWL))
    torch.testing.assert_close(places[0], torch.tensor([0.4, 0.0, 0.02, 0.9]))


def test_a_destination_that_was_moved_is_followed() -> None:
    moved = (0.6, 0.0, 0.03)
    looks = [look(BOWL)] * LOOKS + [look(moved)] * (LOOKS // 2 + 1)
    places = settled(DestinationMemory(), *looks)
    torch.testing.assert_close(places[1, :3], torch.tensor(moved))


def test_what_is_hardly_seen_is_where_it_was_and_says_so() -> None:
    places = settled(DestinationMemory(), look(BOWL), look((0.9, 0.9, 0.9), 0.2))
    torch.testing.assert_close(places[1], torch.tensor([*BOWL, 0.2]))


def test_a_destination_that_was_never_seen_stays_unknown() -> None:
    unseen = look((0.1, 0.2, 0.3), 0.0)
    assert DestinationMemory().settled(unseen, AWAY) is unseen
    unplaced = InstructionGrounding(torch.zeros(1, 3), torch.zeros(1, 2, 3, 2))
    assert DestinationMemory().settled(unplaced, AWAY) is unplaced


def test_looks_past_a_low_hand_count_only_without_better_ones() -> None:
    memory, off = DestinationMemory(), (0.46, 0.06, 0.03)
    places = settled(memory, *[look(off)] * LOOKS, tool=LOW)
    torch.testing.assert_close(places[1, :3], torch.tensor(off))
    places = settled(memory, *[look(BOWL)] * (LOOKS // 2 + 1), tool=ABOVE)
    torch.testing.assert_close(places[1, :3], torch.tensor(BOWL))
    places = settled(memory, *[look(off)] * (2 * LOOKS), tool=LOW)
    torch.testing.assert_close(places[1, :3], torch.tensor(BOWL))
    places = settled(memory, *[look(off)] * (6 * LOOKS), tool=LOW)  # it was moved
    torch.testing.assert_close(places[1, :3], torch.tensor(off))


def test_a_look_that_errs_is_one_of_many() -> None:
    memory = DestinationMemory()
    settled(memory, *[look(BOWL)] * 3, tool=LOW)
    places = settled(memory, look((0.9, 0.4, 0.0)), tool=AWAY)
    torch.testing.assert_close(places[1, :3], torch.tensor(BOWL))
