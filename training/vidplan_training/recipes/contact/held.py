# SPDX-License-Identifier: Apache-2.0
"""Whether a closing will hold: what the world model foresees, and how often that comes true."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.errors import ModelError
from vidplan_core.geometry.fk import flange_pose
from vidplan_core.knobs import knob
from vidplan_core.models.io import save_weights, to_dict
from vidplan_core.planner.motion.hermite import hermite_chunk
from vidplan_core.world_model.checkpoint import load_world_model
from vidplan_core.world_model.context import Context
from vidplan_core.world_model.sampling.sampler import MEAN
from vidplan_core.world_model.world_model import WorldModel
from vidplan_sim.cell import GRIPPER_SPEED
from vidplan_training.collect.contact.closings import LIFT_M, ClosingCase, Seen, closing_cases
from vidplan_training.collect.motion import FRAMES, PERIOD_S
from vidplan_training.engine.platt import platt
from vidplan_training.engine.progress_log import ProgressLog
from vidplan_training.settings.knobs import Settings


@dataclass(frozen=True, kw_only=True)
class HeldRecipe(Settings):
    """Let what the world model foresees of closings come true as often as it says."""

    models: Path = knob(Path('models/cell_contact'), 'folder of the world model')
    out: Path = knob(Path('outputs/held/outcome'), 'folder to write, of the readout')
    closings: int = knob(300, 'one per scene', low=20)
    seed: int = knob(930_000, 'of the first scene', low=0)


def run(recipe: HeldRecipe) -> int:
    """Carry out and imagine closings, fit scale and shift, write the readout with them."""
    model = load_world_model(recipe.models)
    if model.outcome is None:
        raise ModelError(f'{recipe.models} does not read outcomes: see `vidplan-train contact`')
    progress, logits, lifted = ProgressLog('closings', recipe.closings), [], []
    for case in closing_cases(recipe.seed, recipe.closings):
        logits.append(foresee(model, case).logit)
        lifted.append(float(case.lifted))
        progress.update(len(logits))
    scale, shift = platt(torch.tensor(logits), torch.tensor(lifted))
    config = replace(model.outcome.config, held_scale=scale, held_shift=shift)
    print(f'scale {scale:.3f}, shift {shift:.3f}; {len(logits)} closings, {sum(lifted):.0f} held')
    save_weights(recipe.out, to_dict(config), model.outcome.state_dict())
    return 0


@dataclass(frozen=True)
class Foreseen:
    """What is imagined of a closing and the lift after it.

    held: probability of holding something at the end of the lift, calibrated.
    logit: of the same, as the readout says it.
    latents: of the last imagined frame, (1, channels, rows, columns).
    """

    held: float
    logit: float
    latents: Tensor


@torch.no_grad()
def foresee(model: WorldModel, case: ClosingCase, measured: np.ndarray | None = None) -> Foreseen:
    """Imagine the closing, then, from what was imagined, the lift.

    `measured` closedness (8,) in place of what is commanded leaks what becomes of it.
    """
    assert model.outcome is not None
    context = context_of(model, case.past)
    logit = torch.zeros(())
    latents = context.latents[0, -1:]
    for number, lift in enumerate((0.0, LIFT_M)):
        frames = model.config.frames - 1
        commanded = ramp(float(context.poses.closedness[0, -1]), number)
        if measured is not None:
            commanded = measured[number * frames : (number + 1) * frames]
        chunk = _chunk(context, lift, commanded)
        found = model.imagine(context, chunk, MEAN, 0)
        assert found.outcome is not None
        logit, latents = found.outcome.held[0, -1], found.latents[0, -1:]
        past = found.measured if measured is None else chunk
        context = model.advance(context, found.latents, past, frames)
    held = model.outcome.held_probability(logit)
    return Foreseen(float(held), float(logit), latents)


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
