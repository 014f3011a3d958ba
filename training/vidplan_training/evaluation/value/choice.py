# SPDX-License-Identifier: Apache-2.0
"""Six motions from one moment: the value head's best against the simulator's best."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from vidplan_core.data.action import PoseChunk
from vidplan_core.geometry.fk import flange_pose
from vidplan_core.heads.grounding import ground
from vidplan_core.heads.value import ValueHead
from vidplan_core.language.instruction import parse_instruction
from vidplan_core.language.semantic import SemanticScorer
from vidplan_core.planner.motion.hermite import hermite_chunk
from vidplan_core.world_model.world_model import Context, WorldModel
from vidplan_sim.expert.decision import Decision
from vidplan_training.collect.collect import EVALUATION_SEEDS
from vidplan_training.collect.motion import Motion
from vidplan_training.engine.progress_log import ProgressLog
from vidplan_training.evaluation.settings import EvaluateValue

if TYPE_CHECKING:
    from vidplan_sim.cell import Cell

REACH_M = 0.10
OVER_M = 0.06  # above the object's centre: where a reaching tool should come
FIRST_SEED = EVALUATION_SEEDS + 500_000
SIX = REACH_M * np.concatenate([np.eye(3), -np.eye(3)])


@dataclass(frozen=True)
class BestOfSix:
    """One scene: whether the best motions agree, and how far the chosen one falls behind."""

    agrees: bool
    regret_m: float


def best_of_six(
    model: WorldModel, head: ValueHead, scorer: SemanticScorer, settings: EvaluateValue
) -> Iterator[BestOfSix]:
    """Reach for one object per scene of evaluation seeds, from rest, along both ways of an axis.

    The simulator's best motion is the one after which the tool is nearest to `OVER_M` above the
    object.
    """
    from vidplan_sim.cell import Cell
    from vidplan_sim.scene import random_scene

    if not settings.scenes:
        return
    cell, progress = Cell(), ProgressLog('scenes', settings.scenes)
    for number in range(settings.scenes):
        seed = FIRST_SEED + settings.seed * settings.scenes + number
        cell.reset(random_scene(seed))
        truth = cell.truth()
        kinds = [kind for kind in truth if kind != 'bowl']
        kind = kinds[np.random.default_rng([seed, 3]).integers(len(kinds))]
        goal = truth[kind] + [0.0, 0.0, OVER_M]
        context, chunks = start(model, cell)
        imagination = model.imagine(context, chunks, settings.sampling, settings.seed)
        here, wanted = chunks.rows(slice(0, 1)), [parse_instruction(f'move to the {kind}')]
        grounding = ground(scorer, model, context.latents[:, -1], here, wanted)
        values = head.predict_value(imagination, grounding)[:, -1].numpy()
        apart = np.array([distance_after(cell, move, goal) for move in SIX])
        chosen = int(values.argmax())
        progress.update(number + 1)
        yield BestOfSix(chosen == int(apart.argmin()), float(apart[chosen] - apart.min()))
    cell.close()


def start(model: WorldModel, cell: Cell) -> tuple[Context, PoseChunk]:
    """The past of an arm at rest, and the six chunks from here, (6, frames)."""
    config = model.config
    q = torch.as_tensor(cell.q, dtype=torch.float64)
    position, rotation = flange_pose(q)
    moves, zeros = torch.from_numpy(SIX), torch.zeros(len(SIX), 3, dtype=torch.float64)
    chunks = hermite_chunk(
        position, rotation, torch.zeros(3, dtype=torch.float64), moves, zeros,
        cell.closedness, config.frames, config.frame_period_s,
    ).to(torch.float32)  # fmt: skip
    size, pictures = (config.width, config.height), cell.render()
    # Rendered large and made smaller, as the recorded episodes are.
    small = [cv2.resize(pictures[v], size, interpolation=cv2.INTER_AREA) for v in config.views]
    images = np.concatenate(small)
    frames = config.history_frames
    seen = torch.from_numpy(images).expand(1, frames, *images.shape)
    past = PoseChunk(
        position.float().expand(1, frames, 3), rotation.float().expand(1, frames, 3, 3),
        torch.full((1, frames), cell.closedness),
    )  # fmt: skip
    return Context(model.encode(seen), past), chunks


def distance_after(cell: Cell, move: np.ndarray, goal: np.ndarray) -> float:
    """Carry a motion out in a branch: metres from the tool to the goal afterwards."""
    moment = cell.save()
    Motion(cell).start(Decision(move, 0.0, 0.0))
    cell.step(0.8)
    apart = float(np.linalg.norm(cell.tcp - goal))
    cell.restore(moment)
    return apart
