# SPDX-License-Identifier: Apache-2.0
"""What a distillation into a flow map can be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vidplan_core.errors import ConfigError
from vidplan_core.knobs import knob
from vidplan_core.world_model.sampling.sampler import CTRL_WORLD_SAMPLING
from vidplan_training.engine.config import TrainerConfig
from vidplan_training.recipes.world_model.settings import ClipSettings
from vidplan_training.settings.knobs import Settings, nested

VARIANTS = ('psd', 'psd-midpoint', 'lsd')


@dataclass(frozen=True)
class FlowMapConfig(Settings):
    """The objective.

    The variant 'psd' has u uniform between s and t. 'velocity' squares errors of v_{s,t},
    'state' those of X_{s,t}, which are (t - s) times as large. With `guidance` the diagonal
    learns the guided velocity of the frozen reference instead of data minus noise, and planning
    needs no second pass; (1, 1) learns the reference's own velocity. Where only 'jumps' are
    guided the diagonal stays the data's, so that the same weights are still the teacher and give
    the mean of all futures.
    """

    variant: str = knob('psd', 'kind of self-distillation', choices=VARIANTS)
    share: float = knob(1.0 / 3.0, 'of a batch that is distilled', low=0.0, high=1.0)
    one_step: float = knob(
        0.1, 'share of the distilled rows that jump from noise to data at once', low=0.0, high=1.0
    )
    diagonal: str = knob(
        'edm', 'distribution of s = t: of sigma, or of s', choices=('edm', 'uniform')
    )
    pure_noise: float = knob(0.1, 'share of the diagonal at s = 0', low=0.0, high=1.0)
    weighting: str = knob('velocity', 'what errors are of', choices=('velocity', 'state'))
    guidance: tuple[float, float] | None = knob(
        None, 'of the first and the last frame; none: no guidance is learned'
    )
    guided: str = knob('all', 'whether only jumps learn the guidance', choices=('all', 'jumps'))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.guided == 'jumps' and (self.variant == 'lsd' or self.guidance is None):
            raise ConfigError("guided 'jumps' needs guidance, and the variant psd or psd-midpoint")


def _trainer() -> TrainerConfig:
    return TrainerConfig(3000, 3e-4)


@dataclass(frozen=True, kw_only=True)
class FlowMapRecipe(ClipSettings):
    """Turn the world model of `models` into a flow map."""

    out: Path = knob(Path('outputs/flow_map/model'), 'folder to write')
    work: Path = knob(Path('outputs/flow_map/run.pt'), 'checkpoint to resume from')
    objective: FlowMapConfig = nested(FlowMapConfig)
    learned_weight: bool = knob(False, 'balance flow times by learning')
    batch: int = knob(24, 'clips per iteration', low=1)
    checked: int = knob(32, 'held-out clips of a check', low=1)
    teacher_steps: int = knob(
        CTRL_WORLD_SAMPLING.steps, "of the teacher's sampler, for a check", low=1
    )
    checked_at_once: int = knob(32, 'of them that are imagined together', low=1)
    checkpointing: bool = knob(
        False, 'compute activations again in the backward pass instead of keeping them'
    )
    lora_rank: int = knob(
        0, 'train low-rank changes of the attention only, for one GPU; 0: all weights', low=0
    )
    compile: bool = knob(False, 'compile the network first')
    export_only: bool = knob(False, 'write the average so far')
    seed: int = knob(0, 'of the order of clips')
    trainer: TrainerConfig = nested(_trainer)
