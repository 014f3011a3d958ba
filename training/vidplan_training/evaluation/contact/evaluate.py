# SPDX-License-Identifier: Apache-2.0
"""Whether touching is foreseen, and whether the value sees it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vidplan_core.errors import ModelError
from vidplan_core.heads.value import load_value
from vidplan_core.language.semantic import SemanticScorer
from vidplan_core.metrics.calibration import calibration_error, calibration_error_by_chance
from vidplan_core.metrics.intervals import scene_interval, scene_mean_interval
from vidplan_core.metrics.ranking import exact_area
from vidplan_core.world_model.checkpoint import load_world_model
from vidplan_core.world_model.world_model import WorldModel
from vidplan_sim.expert.rule import PHASES
from vidplan_training.collect.contact.branches import BRANCHES, BranchRecorder
from vidplan_training.collect.contact.closings import ClosingCase, closing_cases
from vidplan_training.collect.contact.run import Job, write_shard
from vidplan_training.data.dataset import shards
from vidplan_training.data.latents import Statistics
from vidplan_training.engine.progress_log import ProgressLog
from vidplan_training.evaluation.contact.pictures import draw_worst
from vidplan_training.evaluation.report import report
from vidplan_training.evaluation.settings import EvaluateContact
from vidplan_training.recipes.contact.annotate import Annotator
from vidplan_training.recipes.contact.data import Gathered
from vidplan_training.recipes.contact.held import foresee
from vidplan_training.recipes.contact.value import PICTURES, ValueSampler
from vidplan_training.recipes.contact.value_check import Choice, branch_choices

BRANCH_OFFSET = 50_000  # scenes of the branches are others than those of the closings
MEASURES = ('rank_correlation', 'best_within_one', 'regret')
WORST = 10


def run(settings: EvaluateContact) -> int:
    """Evaluate, print and write the result."""
    return report(evaluate_contact, settings)


def evaluate_contact(settings: EvaluateContact) -> dict[str, Any]:
    """Every number, with intervals by scene.

    Raises:
        ModelError: the world model has no readout.
    """
    model = load_world_model(settings.models)
    if model.outcome is None:
        raise ModelError(f'{settings.models} does not read outcomes: see `vidplan-train contact`')
    result: dict[str, Any] = {'seed': settings.seed, 'interval_95': {}}
    _closings(model, settings, result)
    if settings.sets:
        _value(model, settings, result)
    return result


def _closings(model: WorldModel, settings: EvaluateContact, result: dict[str, Any]) -> None:
    cases, foreseen, leaked = [], [], []
    progress = ProgressLog('closings', settings.closings)
    for case in closing_cases(settings.seed, settings.closings):
        cases.append(case)
        foreseen.append(foresee(model, case).held)
        leaked.append(foresee(model, case, case.measured).held)
        progress.update(len(cases))
    lifted = np.array([case.lifted for case in cases])
    for name, scores, number in (
        ('auroc_lifted', foreseen, _area),
        ('auroc_lifted_measured', leaked, _area),
        ('held_ece', foreseen, calibration_error),
        ('held_accuracy', foreseen, _accuracy),
    ):
        pairs = np.stack([np.array(scores), lifted], 1)
        result[name] = number(pairs)
        result['interval_95'][name] = scene_interval(list(pairs[:, None]), number)
    result |= {
        'held_ece_by_chance': calibration_error_by_chance(np.array(foreseen)),
        'closings': len(cases),
        'lifted': int(lifted.sum()),
        'by_offset': _by_offset(cases, np.array(foreseen)),
        'by_kind': _by_kind(cases, np.array(foreseen)),
    }
    if settings.pictures:
        wrong = np.abs(np.array(foreseen) - lifted)
        worst = [cases[i] for i in np.argsort(-wrong)[:WORST]]
        draw_worst(model, worst, settings.pictures / 'worst_closings.png')


def _by_offset(cases: Sequence[ClosingCase], scores: np.ndarray) -> dict[str, list[float]]:
    """Per centimetre off: closings, share lifted, mean probability."""
    off = np.array([case.off_m for case in cases])
    lifted = np.array([case.lifted for case in cases])
    found = {}
    for number in range(5):
        inside = (off >= 0.01 * number) & (off < 0.01 * (number + 1))
        if inside.any():
            row = [int(inside.sum()), lifted[inside].mean(), scores[inside].mean()]
            found[f'{number}_to_{number + 1}_cm'] = [round(float(v), 3) for v in row]
    return found


def _by_kind(cases: Sequence[ClosingCase], scores: np.ndarray) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for kind in sorted({case.kind for case in cases}):
        rows = [(c.lifted, s) for c, s in zip(cases, scores, strict=True) if c.kind == kind]
        lifted, mean = np.mean([r[0] for r in rows]), np.mean([r[1] for r in rows])
        found[kind] = [len(rows), round(float(lifted), 3), round(float(mean), 3)]
    return found


def _value(model: WorldModel, settings: EvaluateContact, result: dict[str, Any]) -> None:
    head = load_value(settings.models)
    if head.config.unit != 'frames':
        raise ModelError('the value head tells no frames to go: see `vidplan-train contact`')
    with tempfile.TemporaryDirectory() as kept:
        data = settings.data or Path(kept)
        record_branches(data, settings.seed + BRANCH_OFFSET, settings.sets)
        scorer = SemanticScorer.load(settings.models / 'semantic')
        annotator = Annotator(model.autoencoder, scorer, torch.device('cpu'))
        gathered = Gathered(annotator, Statistics.of(model.config))
        for shard in shards(data):
            gathered.add(shard)
    samples = ValueSampler(model, scorer, gathered.episodes(None))
    scenes = samples.episodes.scene[samples.sets[:, 0]].numpy()
    phases = samples.episodes.phase[samples.sets[:, 0]].numpy()
    shown = {picture: branch_choices(head, samples, picture) for picture in PICTURES}
    result |= tables(shown, scenes, phases, result['interval_95'])
    result['sets'] = len(scenes)


def record_branches(data: Path, seed: int, sets: int) -> None:
    """Branch sets of scenes from `seed` on, a shard per scene, until there are enough."""
    recorder, found, progress = None, 0, ProgressLog('branch sets', sets)
    scene = seed
    while found < sets:
        folder = data / f'shard_{scene}_b'
        if not (folder / 'meta.json').exists():
            recorder = recorder or BranchRecorder(exact=True)
            episodes = recorder.record(scene)
            if episodes:
                write_shard(Job(folder, scene, 1, 0, True), episodes, recorder.kinds)
        if (folder / 'meta.json').exists():
            found += len(json.loads((folder / 'meta.json').read_text())['seeds']) // BRANCHES
        progress.update(min(found, sets))
        scene += 1


def tables(
    shown: dict[str, list[Choice]], scenes: np.ndarray, phases: np.ndarray,
    intervals: dict[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """Means over sets by picture and by phase, with intervals over scenes."""
    result: dict[str, Any] = {}
    for name in MEASURES:
        rows = {p: np.array([getattr(c, name) for c in found]) for p, found in shown.items()}
        result[name] = {p: float(np.nanmean(values)) for p, values in rows.items()}
        intervals[name] = {p: scene_mean_interval(values, scenes) for p, values in rows.items()}
        gap = rows['imagined'] - rows['present']
        intervals[f'{name}_imagined_minus_present'] = scene_mean_interval(gap, scenes)
    imagined = shown['imagined']
    result['spread'] = float(np.nanmean([choice.spread for choice in imagined]))
    result['chance_within_one'] = float(np.mean([choice.chance for choice in imagined]))
    result['by_phase'] = {
        phase: _phase(shown, phases == number) for number, phase in enumerate(PHASES[:-1])
        if (phases == number).any()
    }  # fmt: skip
    return result


def _phase(shown: dict[str, list[Choice]], inside: np.ndarray) -> dict[str, Any]:
    found: dict[str, Any] = {'sets': int(inside.sum())}
    for name in MEASURES:
        found[name] = {
            picture: float(np.nanmean([getattr(c, name) for c, i in zip(rows, inside) if i]))
            for picture, rows in shown.items()
        }
    return found


def _area(pairs: np.ndarray) -> float:
    return exact_area(pairs[:, 0], pairs[:, 1] > 0.5)


def _accuracy(pairs: np.ndarray) -> float:
    return float(((pairs[:, 0] > 0.5) == (pairs[:, 1] > 0.5)).mean())
