# SPDX-License-Identifier: Apache-2.0
"""Train the grasp head, and say how far off it is in held-out scenes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial

import torch

from vidplan_core.heads.detectors.grasp.network import GraspConfig, GraspHead, save_grasp
from vidplan_core.heads.value import text_probe
from vidplan_core.language.semantic import SemanticScorer
from vidplan_core.world_model.checkpoint import load_world_model
from vidplan_training.collect.grasps import grasp_files
from vidplan_training.collect.scene_files import SceneFiles
from vidplan_training.engine.trainer import Trainer
from vidplan_training.recipes.grasp.check import measure
from vidplan_training.recipes.grasp.lesson import lesson, loss_of
from vidplan_training.recipes.grasp.looked import GraspMoments, GraspReader
from vidplan_training.recipes.grasp.settings import GraspRecipe
from vidplan_training.recipes.recorded_scenes import read_each

# Of so many scenes the last is held out.
OF = 10


def read_looks(reader: GraspReader, looks: SceneFiles, seeds: Sequence[int]) -> GraspMoments:
    """The moments of scenes, looked at where that was not done before.

    Raises:
        ValueError: there is none.
    """
    parts = read_each(partial(reader.read, looks), seeds)
    if not parts:
        raise ValueError(f'nothing was recorded in {len(seeds)} scenes of {looks.folder}')
    return GraspMoments.cat(parts)


def run(recipe: GraspRecipe) -> int:
    """Record, look, train; write the averaged weights and what was measured."""
    device = torch.device(recipe.device or ('cuda' if torch.cuda.is_available() else 'cpu'))
    seeds, looks = range(recipe.first, recipe.first + recipe.scenes), grasp_files(recipe.data)
    looks.record(seeds, recipe.workers)
    model = load_world_model(recipe.models, 'cpu')
    scorer = SemanticScorer.load(recipe.models / 'semantic')
    moments = read_looks(GraspReader(model, scorer), looks, seeds)
    held_out, cameras = moments.scene % OF == OF - 1, model.config.cameras
    learnt = moments.rows((moments.known & ~held_out).nonzero()[:, 0])
    torch.manual_seed(recipe.seed)
    views = len(model.config.views)
    config = GraspConfig(views, features=recipe.features, text_probe=text_probe(scorer))
    head = GraspHead(config).to(device)
    trainer = Trainer(head, recipe.trainer.with_short_warmup(), recipe.work)
    print(f'{len(learnt)} things to learn from, of {len(moments)}', flush=True)

    def loss(iteration: int) -> torch.Tensor:
        rng = torch.Generator().manual_seed(1_000_003 * recipe.seed + iteration)
        index = torch.randint(len(learnt), (recipe.batch,), generator=rng)
        inputs, way, closing = lesson(cameras, learnt.rows(index), rng)
        return loss_of(head, inputs.to(device), way.to(device), closing.to(device))

    trainer.run(loss, lambda _: {})
    trainer.use_average()
    head = head.cpu().eval()
    save_grasp(recipe.out, head)
    found = measure(head, cameras, moments.rows((moments.known & held_out).nonzero()[:, 0]))
    (recipe.out / 'metrics.json').write_text(json.dumps(found, indent=1) + '\n')
    print(json.dumps(found, indent=1), flush=True)
    return 0
