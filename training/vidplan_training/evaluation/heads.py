# SPDX-License-Identifier: Apache-2.0
"""Heads for a world model from recorded episodes, in one run: trained, then judged.

The folder that is written has the heads beside links to everything else of the models, so that
it can be planned with. Values need episodes with words and a label of success; without any, only
the uncertainty head is trained, and the result says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from vidplan_core.errors import ConfigError
from vidplan_core.heads.uncertainty import FOLDER as UNCERTAINTY
from vidplan_core.heads.value import FOLDER as VALUE
from vidplan_core.models.manifest import MANIFEST
from vidplan_core.world_model.checkpoint import world_model_config
from vidplan_training.data.readers.source import AnyEpisodes
from vidplan_training.data.robot_shards import as_shards
from vidplan_training.evaluation.clips import places
from vidplan_training.evaluation.report import report
from vidplan_training.evaluation.settings import EvaluateUncertainty, EvaluateValue, HeadsRecipe
from vidplan_training.evaluation.uncertainty.evaluate import evaluate_uncertainty
from vidplan_training.evaluation.value.evaluate import evaluate_value
from vidplan_training.recipes.heads import recipe as heads
from vidplan_training.recipes.heads.labelled_episodes import NoLabelsError
from vidplan_training.recipes.heads.settings import (
    HeadRecipe,
    UncertaintyHeadRecipe,
    ValueHeadRecipe,
)
from vidplan_training.settings.knobs import leaves
from vidplan_training.settings.presets import load_preset
from vidplan_training.settings.resolve import resolve

H = TypeVar('H', bound=HeadRecipe)


def run(settings: HeadsRecipe) -> int:
    """Train, evaluate and report."""
    return report(train_and_evaluate, settings)


def train_and_evaluate(settings: HeadsRecipe) -> dict[str, Any]:
    """Results of both heads by name; of a value head that was not trained, why."""
    link_models(settings.models, settings.out)
    read = {**episodes_of(settings), 'models': settings.out, 'seed': settings.seed}
    require_clips(EvaluateUncertainty(clips=settings.clips, **read))
    heads.run(recipe_of(UncertaintyHeadRecipe, 'uncertainty-head', settings, UNCERTAINTY))
    result = {UNCERTAINTY: evaluate_uncertainty(EvaluateUncertainty(clips=settings.clips, **read))}
    try:
        heads.run(recipe_of(ValueHeadRecipe, 'value-head', settings, VALUE))
    except NoLabelsError as error:
        return {**result, VALUE: {'not_trained': str(error)}}
    # Motions of scenes of the simulated cell say nothing of a robot's.
    scenes = settings.scenes if settings.source == 'cell' else 0
    return {**result, VALUE: evaluate_value(EvaluateValue(scenes=scenes, **read))}


def require_clips(settings: EvaluateUncertainty) -> None:
    """Raise ConfigError, before anything is trained, where nothing could judge it."""
    config = world_model_config(settings.models / 'world_model')
    try:
        places(as_shards(settings, config), settings.clips, config, settings.seed)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def recipe_of(kind: type[H], command: str, settings: HeadsRecipe, folder: str) -> H:
    """How a head is trained: by its preset, with what is the same for both."""
    preset = load_preset(command, settings.sizes) if settings.sizes else {}
    places = {'models': settings.models, 'out': settings.out / folder}
    shared = {**episodes_of(settings), **places, 'work': settings.work / f'{folder}.pt'}
    shared |= chosen(settings, {'batch': 'batch', 'iterations': 'trainer.iterations'})
    recipe = resolve(kind, preset, {**shared, 'seed': settings.seed})
    fewer: dict[str, Any] = {} if settings.checked is None else {'checked': settings.checked}
    return replace(recipe, pool=max(min(recipe.pool, settings.pool), recipe.batch), **fewer)


def episodes_of(settings: HeadsRecipe) -> dict[str, Any]:
    """Where episodes are and how they are read; a robot's are kept beside the checkpoints."""
    found = {name: getattr(settings, name) for name in leaves(AnyEpisodes)}
    if settings.shards is None and settings.source != 'cell':
        found['shards'] = settings.work / 'episodes'
    return found


def chosen(settings: HeadsRecipe, names: Mapping[str, str]) -> dict[str, Any]:
    """What was asked for, by the names that recipes have for it."""
    values = {name: getattr(settings, own) for own, name in names.items()}
    return {name: value for name, value in values.items() if value is not None}


def link_models(models: Path, out: Path) -> None:
    """Let a new models folder have everything of another but its heads.

    Raises:
        ConfigError: it is the same folder or has other models' parts, or a part is missing that
            heads are trained or judged by.
    """
    for needed in ('world_model', 'autoencoder', 'semantic'):
        if not (models / needed).is_dir():
            raise ConfigError(f'{models} has no {needed}/, which training and judging heads needs')
    if models.resolve() == out.resolve():
        raise ConfigError(f'{out} is the folder of the models; choose another out')
    out.mkdir(parents=True, exist_ok=True)
    for part in sorted(models.iterdir()):
        if part.name in (UNCERTAINTY, VALUE, MANIFEST):  # a seal is of other heads
            continue
        link = out / part.name
        if not link.is_symlink() and not link.exists():
            link.symlink_to(part.resolve())
        if link.resolve() != part.resolve():
            raise ConfigError(f'{link} is not that of {models}; choose another out')
