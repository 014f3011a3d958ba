# SPDX-License-Identifier: Apache-2.0
"""How far off a grasp head is in scenes of its own."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from vidplan_core.errors import ModelError
from vidplan_core.heads.detectors.grasp.network import FOLDER, load_grasp
from vidplan_core.language.semantic import SemanticScorer
from vidplan_core.world_model.checkpoint import load_world_model
from vidplan_training.collect.grasps import grasp_files
from vidplan_training.evaluation.report import report
from vidplan_training.evaluation.settings import EvaluateGrasp
from vidplan_training.recipes.grasp.check import measure
from vidplan_training.recipes.grasp.looked import GraspReader
from vidplan_training.recipes.grasp.recipe import read_looks


def run(settings: EvaluateGrasp) -> int:
    """Evaluate, print and write the result."""
    return report(evaluate_grasp, settings)


def evaluate_grasp(settings: EvaluateGrasp) -> dict[str, Any]:
    """Distances and turns of all things that are seen, and by kind of those near to the hand.

    Raises:
        ModelError: the models have no grasp head.
    """
    if not (settings.models / FOLDER).is_dir():
        raise ModelError(f'{settings.models} has no {FOLDER}/: see `vidplan-train grasp`')
    model, head = load_world_model(settings.models), load_grasp(settings.models)
    scorer = SemanticScorer.load(settings.models / 'semantic')
    head.config.check_fits(model.config, scorer)
    seeds = range(settings.seed, settings.seed + settings.scenes)
    with tempfile.TemporaryDirectory() as scratch:
        looks = grasp_files(settings.data or Path(scratch))
        looks.record(seeds, settings.workers)
        moments = read_looks(GraspReader(model, scorer), looks, seeds)
        found = measure(head, model.config.cameras, moments.rows(moments.known.nonzero()[:, 0]))
    return {'seed': settings.seed, 'scenes': settings.scenes, 'seen': int(moments.known.sum()),
            'named': len(moments)} | found  # fmt: skip
