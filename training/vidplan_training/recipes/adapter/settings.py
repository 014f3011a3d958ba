# SPDX-License-Identifier: Apache-2.0
"""What a training of the dynamics adapter can be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vidplan_core.knobs import knob
from vidplan_training.data.readers.source import EpisodeSource
from vidplan_training.engine.config import TrainerConfig
from vidplan_training.settings.knobs import nested


def _trainer() -> TrainerConfig:
    return TrainerConfig(20_000, 3e-4)


@dataclass(frozen=True, kw_only=True)
class AdapterRecipe(EpisodeSource):
    """Train the dynamics adapter: how the arm follows commanded joint velocities."""

    out: Path = knob(Path('outputs/adapter/model'), 'folder to write')
    work: Path = knob(Path('outputs/adapter/run.pt'), 'checkpoint to resume from')
    start: Path | None = knob(None, 'released file or folder to go on from; keeps its percentiles')
    steps: int = knob(15, 'commands of a chunk', low=1)
    hidden: int = knob(512, 'width of the layers', low=1)
    batch: int = knob(128, 'windows per iteration', low=1)
    seed: int = knob(0, 'of weights and of the order of windows')
    trainer: TrainerConfig = nested(_trainer)
