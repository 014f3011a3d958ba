# SPDX-License-Identifier: Apache-2.0
"""What a training of the world model can be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vidplan_core.knobs import knob
from vidplan_core.world_model.config import WorldModelConfig
from vidplan_training.data.readers.source import SOURCE_TEXT, SOURCES, EpisodeSource
from vidplan_training.engine.config import TrainerConfig
from vidplan_training.settings.knobs import Settings, nested

BACKBONES = ('unet2d', 'svd')
_USUAL = WorldModelConfig()


@dataclass(frozen=True, kw_only=True)
class ClipSettings(EpisodeSource):
    """Where episodes are and how clips are cut from them."""

    source: str = knob('cell', SOURCE_TEXT, choices=SOURCES)
    models: Path = knob(Path('models/cell'), 'folder of the autoencoder and what else is needed')
    latents: Path | None = knob(None, 'folder for the latents of source=lerobot, in between')
    skips: tuple[int, ...] = knob(
        (1,),
        "frames per model frame, at random, for a robot's episodes (Ctrl-World: 1,2)",
        low=1,
    )
    still: float = knob(
        0.0,
        "share of a robot's clips whose history is the present (Ctrl-World: 0.15)",
        low=0.0,
        high=1.0,
    )


@dataclass(frozen=True, kw_only=True)
class ModelSizes(Settings):
    """Sizes of a new model; a robot's model keeps those that it starts with."""

    backbone: str = knob(_USUAL.backbone.kind, 'kind of network', choices=BACKBONES)
    widths: tuple[int, ...] | None = knob(None, 'of the levels of the network', low=1)
    still_gate: bool = knob(True, 'let unet2d say where nothing changes')
    geometry: bool = knob(
        True, 'condition unet2d on what motions mean in every view, by MODELS/cameras.json'
    )
    history: int = knob(_USUAL.history_frames, 'past frames, the present included', low=1)
    frames: int = knob(_USUAL.frames, 'of a chunk, the present included', low=2)
    action_features: str = knob(
        _USUAL.action_features, 'form of the poses', choices=('relative', 'droid')
    )


def _trainer() -> TrainerConfig:
    return TrainerConfig(6000, 1e-3)


@dataclass(frozen=True, kw_only=True)
class WorldModelRecipe(ClipSettings):
    """Train the action-conditioned world model on latents of recorded episodes."""

    out: Path = knob(Path('outputs/world_model/model'), 'folder to write')
    work: Path = knob(Path('outputs/world_model/run.pt'), 'checkpoint to resume from')
    start: Path | None = knob(None, 'folder of a trained world model to go on from')
    model: ModelSizes = nested(ModelSizes)
    regression: float = knob(
        0.75, 'first part of the run, which learns the mean of all futures', low=0.0, high=1.0
    )
    batch: int = knob(24, 'clips per iteration', low=1)
    checked: int = knob(96, 'held-out clips of a check', low=1)
    checked_at_once: int = knob(32, 'of them that are imagined together', low=1)
    checkpointing: bool = knob(
        False, 'compute activations again in the backward pass instead of keeping them'
    )
    lora_rank: int = knob(
        0, 'train low-rank changes of the attention only, for one GPU; 0: all weights', low=0
    )
    compile: bool = knob(False, 'compile the network first')
    export_only: bool = knob(False, 'write the average so far')
    seed: int = knob(0, 'of weights and of the order of clips')
    trainer: TrainerConfig = nested(_trainer)
