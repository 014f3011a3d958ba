# SPDX-License-Identifier: Apache-2.0
"""What the stitcher would see of an arm that the action adapter moves, without a planner."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidplan_core.errors import CommandRejectedError
from vidplan_core.geometry.camera_files import default_layout
from vidplan_eval.suites.judging.rule import rule_chunk
from vidplan_eval.suites.views.faults import Pictures
from vidplan_eval.world import World
from vidplan_sim.cell import Cell
from vidplan_sim.expert.decision import PLACE, PickPlaceTask
from vidplan_sim.expert.looking import lying_heights, view_of
from vidplan_sim.expert.rule import DECISION_FRAMES, decide
from vidplan_sim.scene import random_scene

Array = NDArray[np.float64]

# Looks are a little rarer than the stitcher's, which publishes at 15 Hz. Most episodes end after
# 7 s, when the thing lies in the bowl.
PERIOD_S, FRAME_S, LONGEST_S = 0.08, 0.2, 12.0


@dataclass(frozen=True, eq=False)
class Look:
    """A moment as the stitcher sees it.

    Attributes:
        stamp_s: when.
        pictures: by view.
        position: of the flange (3,), m.
        rotation: of the flange (3, 3).
        rest_s: how long the arm moves on if it has to stop now.
        closedness: of the hand, 0 open .. 1 closed.
    """

    stamp_s: float
    pictures: Pictures
    position: Array
    rotation: Array
    rest_s: float
    closedness: float = 0.0


def watch_episode(cell: Cell, seed: int) -> list[Look]:
    """Look on while the expert's rule puts something into the bowl, through the adapter."""
    world = World(cell, default_layout(), FRAME_S)
    world.reset(random_scene(seed))
    return [_look(world) for _ in _moments(world)]


def _moments(world: World) -> Iterator[float]:
    """Let time pass from look to look, and decide what is due in between."""
    kind = next(placed.kind for placed in world.cell.scene.objects if placed.kind != 'bowl')
    task, lying, due_s = PickPlaceTask(PLACE, kind), lying_heights(world.cell), 0.0
    while world.now_s < LONGEST_S:
        if world.now_s >= due_s - 1e-6:
            decision, phase = decide(view_of(world.cell, kind, lying), task)
            if phase == 'done':
                return
            chunk = rule_chunk(world.committed(), decision, FRAME_S)
            world.execute(chunk, world.now_s, world.now_s)
            due_s = world.now_s + DECISION_FRAMES * FRAME_S
        world.advance_to(world.now_s + PERIOD_S)
        yield world.now_s


def _look(world: World) -> Look:
    position, rotation = world.cell.flange_pose()
    pictures = {view: np.array(picture) for view, picture in world.cell.render().items()}
    places = np.array(position), np.array(rotation)
    rest_s, closedness = _rest_s(world), world.cell.closedness
    return Look(world.now_s, pictures, *places, rest_s, closedness)


def _rest_s(world: World) -> float:
    """How long the adapter would take to bring the arm to rest, s."""
    adapter = copy.deepcopy(world.adapter)
    if not adapter.status(world.now_s).moving:
        return 0.0
    try:
        return adapter.stop(world.now_s).points[-1].time_from_start_s
    except CommandRejectedError:  # a fault that has stopped it already
        return 0.0
