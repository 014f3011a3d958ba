# SPDX-License-Identifier: Apache-2.0
"""What a training of the policy can be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vidplan_core.heads.policy.files import BASES
from vidplan_core.knobs import knob
from vidplan_training.engine.config import TrainerConfig
from vidplan_training.settings.knobs import Settings, nested, required


def _trainer() -> TrainerConfig:
    return TrainerConfig(4000, 1e-3, ema=0.998, save_every=500)


@dataclass(frozen=True, kw_only=True)
class PolicyRecipe(Settings):
    """Imitate the expert in the moments of contact episodes (`collect --mix contact`).

    The expert was asked in every moment, whoever had led there: failures are seen with what
    mends them.
    """

    data: Path = required('folder of contact episodes')
    base: str = knob(
        'grounded', 'grounded: is given where things are; words: the instruction', choices=BASES
    )
    most_objects: int = knob(6, 'beside the bowl, in the scenes that are learnt from', low=1)
    most_episodes: int = knob(100_000, 'that are learnt from', low=1)
    models: Path = knob(Path('models/cell'), 'folder of the autoencoder and the scorer')
    start: Path | None = knob(None, 'folder of a policy to go on from; it may read less')
    out: Path = knob(Path('outputs/policy/grounded'), 'folder to write')
    work: Path = knob(Path('outputs/policy/run.pt'), 'checkpoint to resume from')
    batch: int = knob(64, 'moments per iteration', low=1)
    width: int = knob(80, 'of the features', low=8)
    noise: float = knob(0.1, 'added to latents while training', low=0.0)
    device: str | None = knob(None, 'to compute on; none: a GPU where there is one')
    seed: int = knob(0, 'of weights and of the order of moments', low=0)
    trainer: TrainerConfig = nested(_trainer)
