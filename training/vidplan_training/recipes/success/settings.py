# SPDX-License-Identifier: Apache-2.0
"""What a training of the success detector can be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vidplan_core.knobs import knob
from vidplan_training.engine.config import TrainerConfig
from vidplan_training.settings.knobs import Settings, nested


def _trainer() -> TrainerConfig:
    return TrainerConfig(4000, 1e-3, ema=0.998, save_every=500)


@dataclass(frozen=True, kw_only=True)
class SuccessRecipe(Settings):
    """Learn to see whether something is held, or lies where it was to be put.

    Records endings of the simulated cell (grasps that hold or miss, releases in the bowl, on its
    rim and beside it) where its folder lacks them, and looks at each once.
    """

    data: Path = knob(Path('data/endings'), 'folder of recorded endings; what is missing is made')
    scenes: int = knob(1800, 'that are recorded', low=10)
    first: int = knob(650_000, 'seed of the first scene', low=0)
    workers: int = knob(2, 'processes that record', low=1)
    models: Path = knob(Path('models/cell'), 'folder of the cameras and the scorer')
    out: Path = knob(Path('outputs/success/success'), 'folder to write')
    work: Path = knob(Path('outputs/success/run.pt'), 'checkpoint to resume from')
    batch: int = knob(128, 'moments per iteration', low=2)
    features: int = knob(64, 'of a view', low=8)
    device: str | None = knob(None, 'to compute on; none: a GPU where there is one')
    seed: int = knob(0, 'of weights and of the order of moments', low=0)
    trainer: TrainerConfig = nested(_trainer)
