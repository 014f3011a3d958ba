# SPDX-License-Identifier: Apache-2.0
"""Closings of held-out scenes, 0 to 5 cm off: what is lifted, foreseen from the command."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.geometry.fk import flange_pose
from vidplan_core.planner.motion.hermite import hermite_chunk
from vidplan_core.world_model.context import Context
from vidplan_core.world_model.sampling.sampler import MEAN
from vidplan_core.world_model.world_model import WorldModel
from vidplan_sim.cell import GRIPPER_SPEED, Cell, CellState
from vidplan_sim.expert.decision import Decision
from vidplan_sim.expert.looking import lying_heights, touch
from vidplan_sim.expert.rule import LIFTED_M
from vidplan_sim.scene import random_scene
from vidplan_training.collect.contact.approach import aside, come_near
from vidplan_training.collect.contact.episode import near_start, pictures
from vidplan_training.collect.motion import FRAMES, PERIOD_S, Motion

FARTHEST_M = 0.05
LIFT_M = 0.12


@dataclass(frozen=True)
class Seen:
    """What is seen and measured at one frame."""

    images: np.ndarray
    q: np.ndarray
    closedness: float

    @staticmethod
    def of(cell: Cell) -> Seen:
        """The present frame."""
        return Seen(pictures(cell), cell.q, cell.closedness)


@dataclass(frozen=True)
class ClosingCase:
    """One closing from a moment on, and what it came to.

    past: the two frames before the fingers close, the present last.
    measured: closedness (8,) of the new frames of closing and lifting.
    after: pictures after the lift.
    """

    seed: int
    kind: str
    off_m: float
    past: tuple[Seen, Seen]
    measured: np.ndarray
    lifted: bool
    after: np.ndarray


def closing_cases(seed: int, count: int) -> Iterator[ClosingCase]:
    """`count` closings, one per scene from `seed` on; the kinds in turn."""
    cell, found, scene_seed = Cell(), 0, seed
    while found < count:
        case = _case(cell, scene_seed)
        scene_seed += 1
        if case is not None:
            found += 1
            yield case
    cell.close()


def _case(cell: Cell, seed: int) -> ClosingCase | None:
    rng = np.random.default_rng([seed, 51])
    scene = random_scene(seed)
    thing = scene.objects[rng.integers(len(scene.objects))]
    cell.reset(near_start(scene, thing, rng))
    lying, motion = lying_heights(cell), Motion(cell)
    angle, radius = rng.uniform(-np.pi, np.pi), FARTHEST_M * np.sqrt(rng.uniform())
    before = come_near(cell, motion, thing.kind, aside(angle, radius), lying)
    if before is None:
        return None
    return _carry_out(cell, motion, before, seed, thing.kind, radius, lying)


def _carry_out(
    cell: Cell, motion: Motion, before: CellState, seed: int, kind: str, off_m: float,
    lying: dict[str, float],
) -> ClosingCase:  # fmt: skip
    now = cell.save()
    cell.restore(before)
    earlier = Seen.of(cell)
    cell.restore(now)
    past = (earlier, Seen.of(cell))
    measured = []
    for decision in (Decision(np.zeros(3), 0.0, 1.0),
                     Decision(np.array([0.0, 0.0, LIFT_M]), 0.0, 1.0)):  # fmt: skip
        motion.start(decision)
        for _ in range(FRAMES - 1):
            cell.step(PERIOD_S)
            measured.append(cell.closedness)
    raised = float(cell.truth()[kind][2]) > lying[kind] + LIFTED_M
    lifted = raised and touch(cell).held == kind
    return ClosingCase(seed, kind, off_m, past, np.array(measured), lifted, pictures(cell))


@dataclass(frozen=True)
class Foreseen:
    """What is imagined of a closing and the lift after it.

    held: probability of holding something at the end of the lift.
    latents: of the last imagined frame, (1, channels, rows, columns).
    """

    held: float
    latents: Tensor


@torch.no_grad()
def foresee(model: WorldModel, case: ClosingCase, measured: np.ndarray | None = None) -> Foreseen:
    """Imagine the closing, then, from what was imagined, the lift.

    `measured` closedness (8,) in place of what is commanded leaks what becomes of it.
    """
    assert model.outcome is not None
    context = context_of(model, case.past)
    held = torch.zeros(())
    latents = context.latents[0, -1:]
    for number, lift in enumerate((0.0, LIFT_M)):
        frames = model.config.frames - 1
        commanded = ramp(float(context.poses.closedness[0, -1]), number)
        if measured is not None:
            commanded = measured[number * frames : (number + 1) * frames]
        chunk = _chunk(context, lift, commanded)
        found = model.imagine(context, chunk, MEAN, 0)
        assert found.outcome is not None
        held, latents = found.outcome.held[0, -1].sigmoid(), found.latents[0, -1:]
        past = found.measured if measured is None else chunk
        context = model.advance(context, found.latents, past, frames)
    return Foreseen(float(held), latents)


def ramp(present: float, number: int) -> np.ndarray:
    """Commanded closedness of the new frames: closing at the hand's speed, then closed."""
    if number:
        return np.ones(FRAMES - 1)
    return np.minimum(1.0, present + GRIPPER_SPEED * PERIOD_S * np.arange(1, FRAMES))


def _chunk(context: Context, lift_m: float, commanded: np.ndarray) -> PoseChunk:
    poses = context.poses
    zero = torch.zeros(1, 3)
    chunk = hermite_chunk(
        poses.position[0, -1], poses.rotation[0, -1], zero[0],
        torch.tensor([[0.0, 0.0, lift_m]]), zero, 0.0, FRAMES, PERIOD_S,
    )  # fmt: skip
    new = torch.from_numpy(commanded)[None].float()
    closedness = torch.cat([poses.closedness[:, -1:], new], 1)
    return replace(chunk, closedness=closedness)


def context_of(model: WorldModel, past: tuple[Seen, ...]) -> Context:
    """The past of frames that were seen."""
    poses = [flange_pose(torch.as_tensor(seen.q, dtype=torch.float64)) for seen in past]
    chunk = PoseChunk(
        torch.stack([p for p, _ in poses])[None].float(),
        torch.stack([r for _, r in poses])[None].float(),
        torch.tensor([[seen.closedness for seen in past]]),
    )
    images = np.stack([seen.images.reshape(-1, *seen.images.shape[2:]) for seen in past])
    return Context(model.encode(torch.from_numpy(images)[None]), chunk)
