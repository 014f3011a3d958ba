# SPDX-License-Identifier: Apache-2.0
"""What a training of a head can be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from vidplan_core.heads.distribution.bins import ERROR_BINS, KINDS
from vidplan_core.heads.network import HeadConfig
from vidplan_core.knobs import knob
from vidplan_training.data.readers.source import AnyEpisodes
from vidplan_training.engine.config import TrainerConfig
from vidplan_training.settings.knobs import nested

WIDTHS = cast(tuple[int, int, int], HeadConfig.widths)


def _trainer() -> TrainerConfig:
    return TrainerConfig(3000, 1e-3)


def _edits(share: float) -> Any:
    return knob(share, 'share of rollouts with a planted hallucination', low=0.0, high=1.0)


def _phantoms(share: float) -> Any:
    what = 'share of rollouts in which a thing has moved where it is not'
    return knob(share, what, low=0.0, high=1.0)


@dataclass(frozen=True, kw_only=True)
class HeadRecipe(AnyEpisodes):
    """Train a head on rollouts of a world model that stays as it is."""

    models: Path = knob(Path('models/cell'), 'folder of the world model')
    out: Path
    work: Path
    start: Path | None = knob(None, 'folder of a trained head to go on from')
    widths: tuple[int, int, int] = knob(WIDTHS, 'of the levels of the head', low=1)
    batch: int = knob(16, 'rollouts per iteration', low=1)
    pool: int = knob(64, 'rollouts that 8 iterations share', low=1)
    checked: int
    compile: bool = knob(False, 'compile the head first')
    export_only: bool = knob(False, 'write the average so far')
    seed: int = knob(0, 'of weights and of rollouts')
    trainer: TrainerConfig = nested(_trainer)


@dataclass(frozen=True, kw_only=True)
class RolloutHeadRecipe(HeadRecipe):
    """Train a head on what the world model imagines, shares of it edited."""

    checked: int = knob(48, 'held-out rollouts of a check', low=1)
    edits: float = _edits(0.15)
    phantoms: float = _phantoms(0.15)


@dataclass(frozen=True, kw_only=True)
class UncertaintyHeadRecipe(RolloutHeadRecipe):
    """Train the head that says how wrong every imagined latent may be."""

    out: Path = knob(Path('outputs/uncertainty_head/model'), 'folder to write')
    work: Path = knob(Path('outputs/uncertainty_head/run.pt'), 'checkpoint to resume from')
    bins: str = knob('power', 'of the error', choices=KINDS)
    bin_count: int = knob(ERROR_BINS, 'number of bins', low=2)


@dataclass(frozen=True, kw_only=True)
class HallucinationHeadRecipe(RolloutHeadRecipe):
    """Train the head that finds what an imagination cannot have from what was seen."""

    out: Path = knob(Path('outputs/hallucination_head/model'), 'folder to write')
    work: Path = knob(Path('outputs/hallucination_head/run.pt'), 'checkpoint to resume from')
    checked: int = knob(128, 'held-out rollouts of a check', low=2)
    edits: float = _edits(0.5)
    phantoms: float = _phantoms(0.25)


@dataclass(frozen=True, kw_only=True)
class ValueHeadRecipe(HeadRecipe):
    """Train the head that says how near to success every imagined frame is."""

    out: Path = knob(Path('outputs/value_head/model'), 'folder to write')
    work: Path = knob(Path('outputs/value_head/run.pt'), 'checkpoint to resume from')
    checked: int = knob(192, 'held-out rollouts of a check', low=1)
    gamma: float = knob(0.95, 'discount per frame', low=0.0, high=1.0)
