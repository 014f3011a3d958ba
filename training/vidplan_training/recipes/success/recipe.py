# SPDX-License-Identifier: Apache-2.0
"""Train the success detector, calibrate it, and say how often it is right in held-out scenes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch
from torch.nn import functional

from vidplan_core.geometry.camera import Camera
from vidplan_core.heads.detectors.success.network import (
    SuccessConfig,
    SuccessDetector,
    save_success,
)
from vidplan_core.heads.value import text_probe
from vidplan_core.language.semantic import SemanticScorer
from vidplan_core.world_model.checkpoint import load_world_model
from vidplan_training.collect.endings import ending_files
from vidplan_training.collect.scene_files import SceneFiles
from vidplan_training.engine.trainer import Trainer
from vidplan_training.recipes.recorded_scenes import read_each
from vidplan_training.recipes.success.check import calibration_of, judge, measure
from vidplan_training.recipes.success.lesson import lesson
from vidplan_training.recipes.success.looked import EndingMoments, EndingReader
from vidplan_training.recipes.success.settings import SuccessRecipe

# Of ten scenes one calibrates and one is held out.
CALIBRATING, HELD_OUT, OF = 8, 9, 10


def read_all(
    reader: EndingReader, endings: SceneFiles, seeds: Sequence[int]
) -> EndingMoments:
    """The moments of scenes, looked at where that was not done before.

    Raises:
        ValueError: there is none.
    """
    parts = read_each(partial(reader.read, endings), seeds)
    if not parts:
        raise ValueError(f'no ending was recorded in {len(seeds)} scenes of {endings.folder}')
    return EndingMoments.cat(parts)


def run(recipe: SuccessRecipe) -> int:
    """Record, look, train, calibrate; write the averaged weights and what was measured."""
    device = torch.device(recipe.device or ('cuda' if torch.cuda.is_available() else 'cpu'))
    seeds = range(recipe.first, recipe.first + recipe.scenes)
    endings = ending_files(recipe.data)
    endings.record(seeds, recipe.workers)
    model = load_world_model(recipe.models, 'cpu')
    scorer = SemanticScorer.load(recipe.models / 'semantic')
    moments = read_all(EndingReader(model, scorer), endings, seeds)
    rest = moments.scene % OF
    cameras = model.config.cameras
    learnt = moments.rows(torch.where(rest < CALIBRATING)[0])
    torch.manual_seed(recipe.seed)
    views = len(model.config.views)
    config = SuccessConfig(views, features=recipe.features, text_probe=text_probe(scorer))
    detector = SuccessDetector(config).to(device)
    trainer = Trainer(detector, recipe.trainer.with_short_warmup(), recipe.work)
    print(f'{len(learnt)} moments to learn from, of {len(moments)}', flush=True)

    def loss(iteration: int) -> torch.Tensor:
        rng = torch.Generator().manual_seed(1_000_003 * recipe.seed + iteration)
        index = torch.randint(len(learnt), (recipe.batch,), generator=rng)
        inputs, true = lesson(cameras, learnt.rows(index), rng)
        logits = detector(inputs.to(device))
        return functional.binary_cross_entropy_with_logits(logits, true.float().to(device))

    trainer.run(loss, lambda _: {})
    trainer.use_average()
    detector = _calibrated(detector.cpu().eval(), cameras, moments, rest)
    save_success(recipe.out, detector)
    held_out = moments.rows(torch.where(rest == HELD_OUT)[0])
    found = measure(detector, judge(detector, cameras, held_out))
    (recipe.out / 'metrics.json').write_text(json.dumps(found, indent=1) + '\n')
    print(json.dumps(found, indent=1), flush=True)
    return 0


def _calibrated(
    detector: SuccessDetector, cameras: Sequence[Camera], moments: EndingMoments,
    rest: torch.Tensor,
) -> SuccessDetector:  # fmt: skip
    """The same detector whose probabilities fit the scenes that were kept for that."""
    kept = moments.rows(torch.where(rest == CALIBRATING)[0])
    scale, shift = calibration_of(judge(detector, cameras, kept))
    found = SuccessDetector(replace(detector.config, scale=scale, shift=shift))
    found.load_state_dict(detector.state_dict())
    return found.eval()
