# SPDX-License-Identifier: Apache-2.0
"""Optimisation of one training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from vidplan_core.knobs import knob
from vidplan_training.settings.knobs import Settings, required

PRECISIONS = ('no', 'bf16')


@dataclass(frozen=True)
class TrainerConfig(Settings):
    """Optimisation of one run.

    A batch is computed in `accumulate` parts per process, one after the other. Curves go to
    `log`, or to a folder beside the checkpoint.
    """

    iterations: int = required('whole length of the run, resumed parts included')
    learning_rate: float = knob(1e-3, 'highest, after the warm-up', low=0.0)
    weight_decay: float = knob(1e-2, 'of AdamW', low=0.0)
    warmup: int = knob(200, 'iterations until the highest learning rate', low=0)
    clip: float = knob(1.0, 'largest norm of the gradient', low=0.0)
    ema: float = knob(
        0.999, 'decay of the average of the weights; 0: none is kept', low=0.0, high=1.0
    )
    save_every: int = knob(500, 'iterations between checkpoints', low=1)
    accumulate: int = knob(1, 'parts of a batch, in turn', low=1)
    precision: str = knob(
        'auto',
        'of the networks; auto: what `accelerate launch` was asked for, or bf16 on a GPU',
        choices=('auto', *PRECISIONS),
    )
    shard: bool = knob(
        False,
        "spread a world model's weights, gradients and optimiser over all processes (FSDP); also "
        'on by `accelerate launch --use_fsdp`',
    )
    log: Path | None = knob(None, 'folder for TensorBoard; none: beside the checkpoint')
    log_every: int = knob(10, 'iterations between points of the curves', low=1)

    def with_short_warmup(self) -> TrainerConfig:
        """The same, but with a warm-up of a tenth of the run at most."""
        return replace(self, warmup=min(self.warmup, self.iterations // 10))
