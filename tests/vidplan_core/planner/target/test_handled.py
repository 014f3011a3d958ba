# SPDX-License-Identifier: Apache-2.0
"""What is remembered of a thing that is handled: its grasp, and where the hand was blocked."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.fakes.tiny import down
from vidplan_core.data.action import PoseChunk
from vidplan_core.geometry.fk import hand_yaw, tcp_position
from vidplan_core.geometry.robot_files import default_robot
from vidplan_core.heads.bundle import Heads
from vidplan_core.heads.detectors.grasp.network import Grasps
from vidplan_core.heads.grounding import InstructionGrounding
from vidplan_core.planner.target.handled import BESIDE_M, HandledThing
from vidplan_core.planner.target.handled_look import HandledLook

ROBOT = default_robot()
POSES = PoseChunk(torch.tensor([[[0.5, 0.0, 0.3]]]), down()[None, None], torch.zeros(1, 1))
TOOL = tcp_position(POSES.position[0, 0], POSES.rotation[0, 0], ROBOT)


class Unasked:
    """A locator that nobody asks: the target is where its grasp is."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f'{name} was asked for')


def look(
    thing: HandledThing, above_m: float, grip: float = 0.0, aside_m: float = 0.01
) -> HandledLook:
    place = TOOL - torch.tensor([0.0, 0.0, above_m])
    grasp = Grasps(place[None], torch.zeros(1, 2), torch.tensor([0.002]))
    seen = place + torch.tensor([aside_m, 0.0, 0.0])
    things = torch.stack([seen, torch.tensor([0.5, 0.3, 0.03])])
    places = torch.cat([things, torch.ones(2, 1)], 1)[None]
    found = InstructionGrounding(torch.zeros(1, 3), torch.zeros(1), places)
    heads, fake = Heads(grasp=lambda *_: grasp), Unasked()
    images = torch.zeros(1, 3, 3, 12, 20)
    return thing.look(heads, fake, ROBOT, found, images, POSES, POSES, grip)  # type: ignore[arg-type]


def test_a_target_lies_where_its_grasp_is() -> None:
    found = look(HandledThing(), 0.1)
    assert found.grasp is not None
    assert found.grounding.places is not None
    torch.testing.assert_close(found.grounding.places[0, 0, :2], TOOL[:2])


@pytest.mark.parametrize(('above_m', 'near'), [(0.05, True), (0.1, True), (0.2, False)])
def test_a_hand_that_presses_beside_a_grasp_remembers_how_it_was_turned(
    above_m: float, near: bool
) -> None:
    thing = HandledThing()
    found = look(thing, above_m)
    assert found.near is near is (above_m < BESIDE_M)
    thing.press(found, POSES.rotation[0, 0], ROBOT)
    heading = pytest.approx(float(hand_yaw(down(), ROBOT)))
    assert thing.blocked == [heading] * near
    assert look(thing, above_m).blocked == tuple(thing.blocked)


def test_nothing_is_remembered_without_a_look() -> None:
    thing = HandledThing()
    thing.press(None, POSES.rotation[0, 0], ROBOT)
    assert thing.blocked == []
