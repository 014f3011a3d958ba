# SPDX-License-Identifier: Apache-2.0
"""Candidates that wait, or let go of the target on the way, are left out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.fakes.tiny import down, straight_chunk
from vidplan_core.data.action import PoseChunk
from vidplan_core.geometry.fk import hand_yaw, tcp_position
from vidplan_core.geometry.robot_files import default_robot
from vidplan_core.heads.detectors.grasp.network import Grasps
from vidplan_core.heads.grounding import InstructionGrounding
from vidplan_core.language.instruction import PICK, PLACE
from vidplan_core.planner.interfaces import Start
from vidplan_core.planner.proposals.supported import (
    SupportedProposals,
    carries_nothing,
    changes_grip,
    closes_beside,
    hovers,
    lands_across,
    lets_go_early,
    still,
    strays,
)

POSITION = torch.tensor([0.5, 0.0, 0.4])
TOOL = tcp_position(POSITION, down())
ROBOT = default_robot()


@dataclass(frozen=True)
class Fixed:
    chunk: PoseChunk

    def propose(self, _: object) -> PoseChunk:
        return self.chunk


def chunk(motions: list[list[float]], closed: list[float]) -> PoseChunk:
    made = straight_chunk(torch.tensor(motions))
    return replace(made, closedness=torch.tensor(closed)[:, None].expand(-1, 5).clone())


def situation(
    target: tuple[float, float] = (0.0, 0.0), bowl: tuple[float, float] = (0.3, 0.0),
    measured: float = 0.6, grip: float = 1.0, verb: str = PLACE, gripping: bool = False,
) -> Any:  # fmt: skip
    """Target and bowl are so far beside the tool, m."""
    places = torch.stack([TOOL, TOOL])[None]
    places[0, :, :2] += torch.tensor([target, bowl])
    seen = torch.cat([places, torch.ones(1, 2, 1)], -1)
    start = Start(POSITION, down(), torch.zeros(3), torch.zeros(7), measured, commanded=grip)
    poses = SimpleNamespace(closedness=torch.tensor([[measured]]))
    return SimpleNamespace(
        grounding=InstructionGrounding(torch.zeros(1, 3), torch.zeros(1), seen), start=start,
        context=SimpleNamespace(poses=poses), instruction=SimpleNamespace(verb=verb),
        gripping=gripping, grasp=None, blocked=(), again=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ('move', 'closed', 'waiting'),
    [
        ([0.0, 0.0, 0.0], 1.0, True),
        ([0.005, 0.0, 0.0], 1.0, True),
        ([0.03, 0.0, 0.0], 1.0, False),
        ([0.0, 0.0, 0.0], 0.0, False),
    ],
)
def test_what_changes_nothing_waits(move: list[float], closed: float, waiting: bool) -> None:
    found = chunk([move], [closed])
    assert (still(found) & ~changes_grip(found, grip=1.0)).tolist() == [waiting]


@pytest.mark.parametrize(
    ('changed', 'early'),
    [
        ({}, True),
        ({'bowl': (0.05, 0.0)}, False),  # over the bowl
        ({'verb': PICK, 'bowl': (0.05, 0.0)}, True),  # never let go of what is picked up
        ({'target': (0.2, 0.0)}, False),  # holds another thing
        ({'measured': 1.0}, False),  # closed around nothing
        ({'grip': 0.0}, False),  # opens already
    ],
)
def test_the_target_is_let_go_over_the_destination_only(changed: Any, early: bool) -> None:
    both = chunk([[0.0, 0.0, 0.1], [0.0, 0.0, 0.1]], [0.0, 1.0])
    assert lets_go_early(both, situation(**changed), ROBOT).tolist() == [early, False]


@pytest.mark.parametrize(
    ('down_m', 'closed', 'grip', 'high'),
    [
        (0.0, 1.0, 0.0, False),  # the tool is at the target's centre
        (-0.05, 1.0, 0.0, True),  # 5 cm above it
        (-0.05, 0.0, 0.0, False),
        (-0.05, 1.0, 1.0, False),  # closed already
    ],
)
def test_fingers_close_around_a_thing_not_above_it(
    down_m: float, closed: float, grip: float, high: bool
) -> None:
    now = situation(grip=grip, measured=grip)
    now.grounding.places[0, 0, 2] += down_m
    assert closes_beside(chunk([[0.0, 0.0, 0.0]], [closed]), now, ROBOT).tolist() == [high]


@pytest.mark.parametrize(('move', 'aside'), [(0.02, True), (-0.02, False), (0.0, False)])
def test_fingers_that_close_do_not_leave_the_thing(move: float, aside: bool) -> None:
    now = situation(target=(-0.03, 0.0), grip=0.0, measured=0.0)
    assert closes_beside(chunk([[move, 0.0, 0.0]], [1.0]), now, ROBOT).tolist() == [aside]


@pytest.mark.parametrize(('rise_m', 'high'), [(0.0, False), (0.005, False), (0.02, True)])
def test_fingers_close_where_the_grasp_is_and_do_not_rise(rise_m: float, high: bool) -> None:
    now = situation(grip=0.0, measured=0.0)
    now.grounding.places[0, 0, 2] += 0.05  # seen too high, and 6 cm aside
    now.grounding.places[0, 0, 0] += 0.06
    now.grasp = Grasps(TOOL[None], torch.zeros(1, 2), torch.tensor([0.002]))
    assert closes_beside(chunk([[0.0, 0.0, rise_m]], [1.0]), now, ROBOT).tolist() == [high]


@pytest.mark.parametrize(
    ('beside_m', 'above_m', 'lower_m', 'grip', 'hovering'),
    [
        (0.0, 0.10, 0.0, 0.0, True),
        (0.0, 0.10, 0.05, 0.0, False),
        (0.0, 0.10, -0.05, 0.0, True),
        (0.06, 0.10, 0.0, 0.0, False),  # not there yet
        (0.0, 0.005, 0.0, 0.0, False),  # where it closes
        (0.0, 0.10, 0.0, 1.0, False),  # it carries something
    ],
)
def test_an_open_hand_over_a_thing_goes_down(
    beside_m: float, above_m: float, lower_m: float, grip: float, hovering: bool
) -> None:
    now = situation(grip=grip, measured=grip)
    place = TOOL - torch.tensor([beside_m, 0.0, above_m])
    now.grasp = Grasps(place[None], torch.zeros(1, 2), torch.tensor([0.002]))
    assert hovers(chunk([[0.0, 0.0, -lower_m]], [grip]), now, ROBOT).tolist() == [hovering]


@pytest.mark.parametrize(
    ('again', 'grip', 'straying'),
    [(True, 0.0, [False, True, True]), (False, 0.0, [False] * 3), (True, 1.0, [False] * 3)],
)
def test_a_hand_that_begins_again_goes_to_the_thing(
    again: bool, grip: float, straying: list[bool]
) -> None:
    now = situation(grip=grip, measured=grip)
    now.again = again
    place = TOOL[None] + torch.tensor([[0.1, 0.0, -0.1]])
    now.grasp = Grasps(place, torch.zeros(1, 2), torch.tensor([0.002]))
    moves = [[0.05, 0.0, 0.0], [-0.05, 0.0, 0.0], [0.0, 0.0, 0.1]]
    assert strays(chunk(moves, [grip] * 3), now, ROBOT).tolist() == straying


@pytest.mark.parametrize(
    ('target', 'grip', 'left_out'),
    [
        ((0.0, 0.0), 0.0, [True, False]),
        ((0.0, 0.0), 1.0, [False, False]),  # carries something
        ((0.12, 0.0), 0.0, [False, False]),  # the target is there, too
    ],
)
def test_an_open_hand_does_not_go_to_the_bowl(
    target: tuple[float, float], grip: float, left_out: list[bool]
) -> None:
    now = situation(target=target, bowl=(0.15, 0.0), grip=grip, measured=grip)
    both = chunk([[0.1, 0.0, 0.0], [-0.1, 0.0, 0.0]], [grip, grip])
    assert carries_nothing(both, now, ROBOT).tolist() == left_out


def test_the_source_keeps_its_order_and_never_runs_empty() -> None:
    motions = [[0.0, 0.0, 0.0], [0.0, 0.0, 0.1], [0.1, 0.0, 0.0], [0.0, 0.1, 0.0]]
    source = Fixed(chunk(motions, [1.0, 1.0, 0.0, 1.0]))
    kept = SupportedProposals(source, ROBOT).propose(situation())
    torch.testing.assert_close(kept.position, source.chunk.position[[1, 3]])
    travelling = SupportedProposals(source, ROBOT).propose(situation(gripping=True))
    torch.testing.assert_close(travelling.position, source.chunk.position[[0]])
    nothing = Fixed(chunk(motions[:1], [1.0]))
    assert len(SupportedProposals(nothing, ROBOT).propose(situation())) == 1


@pytest.mark.parametrize(
    ('turned', 'down_m', 'known', 'lands'),
    [
        (0.0, 0.10, True, False),
        (0.3, 0.10, True, False),
        (1.2, 0.10, True, True),
        (3.1, 0.10, True, False),  # half a turn gives the same grasp
        (1.2, 0.0, True, False),
        (1.2, 0.10, False, False),
    ],
)
def test_fingers_along_a_thing_do_not_come_down_on_it(
    turned: float, down_m: float, known: bool, lands: bool
) -> None:
    doubled = 2.0 * (hand_yaw(down(), ROBOT) + turned)
    closing = torch.stack([doubled.cos(), doubled.sin()]) * (1.0 if known else 0.2)
    place = TOOL - torch.tensor([0.0, 0.0, 0.10])
    grasp = Grasps(place[None], closing[None], torch.tensor([0.004]))
    moment = situation(measured=0.0, grip=0.0)
    moment.grasp = grasp
    found = lands_across(chunk([[0.0, 0.0, -down_m]], [0.0]), moment, ROBOT)
    assert found.tolist() == [lands]
