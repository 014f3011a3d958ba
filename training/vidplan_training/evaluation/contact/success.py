# SPDX-License-Identifier: Apache-2.0
"""Whether a success detector is right, and calibrated, in scenes of its own."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from vidplan_core.errors import ModelError
from vidplan_core.heads.detectors.success.network import FOLDER, load_success
from vidplan_core.language.semantic import SemanticScorer
from vidplan_core.world_model.checkpoint import load_world_model
from vidplan_training.collect.endings import ending_files
from vidplan_training.evaluation.report import report
from vidplan_training.evaluation.settings import EvaluateSuccess
from vidplan_training.recipes.success.check import judge, measure
from vidplan_training.recipes.success.looked import EndingReader
from vidplan_training.recipes.success.recipe import read_all


def run(settings: EvaluateSuccess) -> int:
    """Evaluate, print and write the result."""
    return report(evaluate_success, settings)


def evaluate_success(settings: EvaluateSuccess) -> dict[str, Any]:
    """By verb: how often it is right in all looks and where something ends, and calibration.

    Raises:
        ModelError: the models have no success detector.
    """
    if not (settings.models / FOLDER).is_dir():
        raise ModelError(f'{settings.models} has no {FOLDER}/: see `vidplan-train success`')
    model, detector = load_world_model(settings.models), load_success(settings.models)
    scorer = SemanticScorer.load(settings.models / 'semantic')
    detector.config.check_fits(model.config, scorer)
    seeds = range(settings.seed, settings.seed + settings.scenes)
    with tempfile.TemporaryDirectory() as scratch:
        folder = settings.data or Path(scratch)
        endings = ending_files(folder)
        endings.record(seeds, settings.workers)
        moments = read_all(EndingReader(model, scorer), endings, seeds)
        said = judge(detector, model.config.cameras, moments)
    return {'seed': settings.seed, 'scenes': settings.scenes} | measure(detector, said)
