# SPDX-License-Identifier: Apache-2.0
"""What a distillation of the tower into a head that reads latents can be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vidplan_core.knobs import knob
from vidplan_training.engine.config import TrainerConfig
from vidplan_training.settings.knobs import Settings, nested


def _trainer() -> TrainerConfig:
    return TrainerConfig(4000, 2e-3, ema=0.998, save_every=500)


@dataclass(frozen=True, kw_only=True)
class RelevancyHeadRecipe(Settings):
    """Learn to read from latents what the semantic tower says of decoded pictures.

    Records looks at scenes where its folder lacks them, imagines a motion from each, and distils
    what the tower says of the present and of what was imagined.
    """

    data: Path = knob(Path('data/grasps'), 'folder of recorded looks; what is missing is made')
    scenes: int = knob(400, 'that are recorded; every tenth is held out', low=10)
    first: int = knob(700_000, 'seed of the first scene', low=0)
    workers: int = knob(2, 'processes that record', low=1)
    models: Path = knob(Path('models/cell'), 'folder of the world model and the scorer')
    out: Path = knob(Path('outputs/relevancy/relevancy'), 'folder to write')
    work: Path = knob(Path('outputs/relevancy/run.pt'), 'checkpoint to resume from')
    batch: int = knob(32, 'views per iteration', low=1)
    phrases: int = knob(4, 'that are compared in an iteration', low=1)
    width: int = knob(64, 'of the convolutions, a multiple of 8', low=8)
    blocks: int = knob(3, 'of convolutions', low=1, high=8)
    device: str | None = knob(None, 'to compute on; none: a GPU where there is one')
    seed: int = knob(0, 'of weights and of the order of views', low=0)
    trainer: TrainerConfig = nested(_trainer)
