# SPDX-License-Identifier: Apache-2.0
"""What a training of the grasp head can be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vidplan_core.knobs import knob
from vidplan_training.engine.config import TrainerConfig
from vidplan_training.settings.knobs import Settings, nested


def _trainer() -> TrainerConfig:
    return TrainerConfig(6000, 1e-3, ema=0.998, save_every=500)


@dataclass(frozen=True, kw_only=True)
class GraspRecipe(Settings):
    """Learn to see where and how the expert of the simulated cell would grasp what is named.

    Records looks at scenes from hands that are over things, on the way down to them or elsewhere,
    where its folder lacks them, and looks each thing up once.
    """

    data: Path = knob(Path('data/grasps'), 'folder of recorded looks; what is missing is made')
    scenes: int = knob(3000, 'that are recorded', low=10)
    first: int = knob(700_000, 'seed of the first scene', low=0)
    workers: int = knob(2, 'processes that record', low=1)
    models: Path = knob(Path('models/cell'), 'folder of the cameras and the scorer')
    out: Path = knob(Path('outputs/grasp/grasp'), 'folder to write')
    work: Path = knob(Path('outputs/grasp/run.pt'), 'checkpoint to resume from')
    batch: int = knob(96, 'things per iteration', low=2)
    features: int = knob(96, 'of a view', low=8)
    device: str | None = knob(None, 'to compute on; none: a GPU where there is one')
    seed: int = knob(0, 'of weights and of the order of moments', low=0)
    trainer: TrainerConfig = nested(_trainer)
