# SPDX-License-Identifier: Apache-2.0
"""What the training of what foresees touching can be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vidplan_core.knobs import knob
from vidplan_training.collect.contact.run import FRAMES
from vidplan_training.engine.config import TrainerConfig
from vidplan_training.settings.knobs import Settings, nested, required

STAGES = ('model', 'jumps', 'readout', 'uncertainty', 'value', 'relations')


@dataclass(frozen=True, kw_only=True)
class StageSettings(Settings):
    """One part of the training."""

    batch: int = knob(64, 'rows per iteration', low=1)
    trainer: TrainerConfig = nested(lambda: TrainerConfig(1000, 3e-4))


def _stage(iterations: int, batch: int, rate: float = 3e-4) -> StageSettings:
    trainer = TrainerConfig(iterations, rate, warmup=100, ema=0.998, save_every=250)
    return StageSettings(batch=batch, trainer=trainer)


@dataclass(frozen=True, kw_only=True)
class ContactRecipe(Settings):
    """Collect contact episodes, then train world model, uncertainty head and value head on them.

    Every part is written as soon as it is trained; the parts of one run belong together.
    """

    data: Path = required('folder of contact episodes; what is missing is collected')
    models: Path = knob(Path('models/cell'), 'folder of the models to start from')
    out: Path = knob(Path('outputs/contact/models'), 'models folder to write')
    episodes: int = knob(
        800, 'to have of seeds from `first` on, beside branches; 0: what is there already', low=0
    )
    frames: int = knob(FRAMES, 'per episode, at 5 Hz', low=1)
    shard: int = knob(8, 'episodes per shard', low=1)
    first: int = knob(400_000, 'seed of the first episode', low=0)
    workers: int = knob(1, 'processes that record', low=1)
    collect_s: float | None = knob(None, 's after which no shard is begun', low=0.0)
    drop_images: bool = knob(False, 'once they are encoded')
    stages: tuple[str, ...] = knob(
        STAGES, 'what is trained, in order', choices=STAGES, empty=False
    )
    work: Path = knob(Path('outputs/contact/work'), 'folder of checkpoints to resume from')
    model: StageSettings = nested(lambda: _stage(6000, 16))
    jumps: StageSettings = nested(lambda: _stage(300, 16, 1e-4))
    readout: StageSettings = nested(lambda: _stage(3000, 32, 5e-4))
    imagined: int = knob(1000, 'windows of any kind that the readout learns from', low=8)
    uncertainty: StageSettings = nested(lambda: _stage(800, 48))
    value: StageSettings = nested(lambda: _stage(2900, 192, 1e-3))
    relations: StageSettings = nested(
        lambda: StageSettings(batch=256, trainer=TrainerConfig(
            1200, 1.5e-3, weight_decay=0.1, warmup=100, ema=0.99, save_every=250))
    )  # fmt: skip
    looked: int = knob(
        160, 'groups of 8 branch sets and 64 windows that relations are learnt from', low=1
    )
    visits: int = knob(
        0, 'episodes of planning with these models to record: relations are learnt from what was '
        'considered in them, too, and in those that are in work/visits already', low=0
    )
    first_visit: int = knob(670_000, 'seed of the first of them', low=0)
    pool: int = knob(3, 'batches that the value learns from before others are imagined', low=1)
    reuse: int = knob(5, 'times that each of them is used', low=1)
    checked: int = knob(512, 'held-out windows of a check', low=8)
    device: str | None = knob(None, 'to compute on; none: a GPU where there is one')
    seed: int = knob(0, 'of weights and of batches', low=0)
