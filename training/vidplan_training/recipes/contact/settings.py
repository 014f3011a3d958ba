# SPDX-License-Identifier: Apache-2.0
"""What the training of what foresees touching can be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vidplan_core.knobs import knob
from vidplan_training.collect.contact.run import FRAMES
from vidplan_training.recipes.contact.loop import Budget
from vidplan_training.settings.knobs import Settings, nested, required

STAGES = ('model', 'uncertainty', 'value')


@dataclass(frozen=True, kw_only=True)
class StageSettings(Settings):
    """One part of the training, which ends by iterations or by the clock."""

    iterations: int = knob(1000, 'at most', low=1)
    seconds: float | None = knob(None, 's at most; none: as long as it takes', low=0.0)
    batch: int = knob(64, 'rows per iteration', low=1)
    learning_rate: float = knob(3e-4, 'highest of the cosine', low=0.0)

    @property
    def budget(self) -> Budget:
        """Its length."""
        return Budget(self.iterations, self.seconds or float('inf'))


@dataclass(frozen=True, kw_only=True)
class ContactRecipe(Settings):
    """Collect contact episodes, then train world model, uncertainty head and value head on them.

    Every part is written as soon as it is trained; the parts of one run belong together.
    """

    data: Path = required('folder of contact episodes; what is missing is collected')
    models: Path = knob(Path('models/cell'), 'folder of the models to start from')
    out: Path = knob(Path('outputs/contact/models'), 'models folder to write')
    episodes: int = knob(1328, 'beside branches from the first scenes of every shard', low=1)
    frames: int = knob(FRAMES, 'per episode, at 5 Hz', low=1)
    shard: int = knob(8, 'episodes per shard', low=1)
    first: int = knob(400_000, 'seed of the first episode', low=0)
    workers: int = knob(1, 'processes that record', low=1)
    collect_s: float | None = knob(None, 's after which no shard is begun', low=0.0)
    drop_images: bool = knob(False, 'once they are encoded')
    stages: tuple[str, ...] = knob(STAGES, 'what is trained, in order', choices=STAGES)
    model: StageSettings = nested(lambda: StageSettings(iterations=4000))
    uncertainty: StageSettings = nested(lambda: StageSettings(iterations=800, batch=48))
    value: StageSettings = nested(
        lambda: StageSettings(iterations=2900, batch=192, learning_rate=1e-3)
    )
    checked: int = knob(512, 'held-out windows of a check', low=8)
    device: str | None = knob(None, 'to compute on; none: a GPU where there is one')
    seed: int = knob(0, 'of weights and of batches', low=0)
