# SPDX-License-Identifier: Apache-2.0
"""What a training of the semantic scorer can be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vidplan_core.errors import ConfigError
from vidplan_core.knobs import knob
from vidplan_training.engine.config import TrainerConfig
from vidplan_training.settings.knobs import Settings, nested, required


def _trainer() -> TrainerConfig:
    return TrainerConfig(4000, 1.5e-3, save_every=200)


@dataclass(frozen=True, kw_only=True)
class SemanticRecipe(Settings):
    """Train the semantic scorer: a small open_clip model whose patches know the phrases."""

    data: Path = required('folder written by collect')
    out: Path = knob(Path('outputs/semantic/model'), 'folder to write')
    work: Path = knob(Path('outputs/semantic/run.pt'), 'checkpoint to resume from')
    start: Path | None = knob(None, 'folder of a scorer to go on from')
    reconstructions: Path | None = knob(
        None, 'folder of shard_*/reconstructions.npy: the same views as decoded'
    )
    models: Path | None = knob(
        None, 'models folder whose world model first imagines the views into reconstructions'
    )
    decoded: float = knob(0.4, 'share of decoded views, where there are any', low=0.0, high=1.0)
    width: int = knob(192, 'of the image tower', low=64)
    layers: int = knob(4, 'of the image tower', low=1)
    batch: int = knob(32, 'views per iteration', low=1)
    scenes: int = knob(300, 'held-out scenes to measure on', low=2)
    seed: int = knob(0, 'of weights and of the order of views')
    trainer: TrainerConfig = nested(_trainer)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.models is not None and self.reconstructions is None:
            raise ConfigError('models writes decoded views: set reconstructions=FOLDER for them')
