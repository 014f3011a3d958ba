# SPDX-License-Identifier: Apache-2.0
"""What a training of the autoencoder can be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vidplan_core.errors import ConfigError
from vidplan_core.knobs import knob
from vidplan_training.engine.config import TrainerConfig
from vidplan_training.settings.knobs import Settings, nested, required


def _trainer() -> TrainerConfig:
    return TrainerConfig(6000, 2e-3, ema=0.998)


@dataclass(frozen=True, kw_only=True)
class AutoencoderRecipe(Settings):
    """Train the per-view autoencoder on images of the cell."""

    data: Path = required('folder written by collect')
    out: Path = knob(Path('outputs/autoencoder/model'), 'folder to write')
    work: Path = knob(Path('outputs/autoencoder/run.pt'), 'checkpoint to resume from')
    start: Path | None = knob(None, 'folder of an autoencoder to go on from')
    decoder_only: bool = knob(
        False, 'keep the encoder of start: its latents stay what world models know'
    )
    latent_channels: int = knob(8, 'of the latents', low=1)
    equivariance: float = knob(0.1, 'weight: latents move as pictures do', low=0.0)
    noise: float = knob(0.15, 'that decoding forgives, in deviations', low=0.0)
    batch: int = knob(48, 'pictures per iteration', low=1)
    checked: int = knob(96, 'held-out pictures that are moved to check equivariance', low=1)
    measured: int = knob(100, 'held-out frames that reconstruction is measured on', low=1)
    seed: int = knob(0, 'of weights and of the order of pictures')
    trainer: TrainerConfig = nested(_trainer)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.decoder_only and not self.start:
            raise ConfigError('decoder_only needs the encoder that it keeps: set start=FOLDER')
