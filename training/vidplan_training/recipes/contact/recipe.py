# SPDX-License-Identifier: Apache-2.0
"""Collect, encode and train what foresees touching, part by part.

Every part is written as soon as it is trained, so that a run that is cut short leaves what it
has; the parts of one run belong together.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vidplan_core.errors import ConfigError
from vidplan_core.heads.network import save_head
from vidplan_core.heads.uncertainty import FOLDER as UNCERTAINTY
from vidplan_core.heads.uncertainty import load_uncertainty
from vidplan_core.heads.value import FOLDER as VALUE
from vidplan_core.heads.value import ValueHead
from vidplan_core.language.semantic import SemanticScorer
from vidplan_core.world_model.checkpoint import load_world_model, save_world_model
from vidplan_core.world_model.world_model import WorldModel
from vidplan_training.collect.contact.measure import measure, table
from vidplan_training.collect.contact.run import collect, jobs
from vidplan_training.data.dataset import Shard
from vidplan_training.data.latents import Statistics
from vidplan_training.engine.trainer import Trainer
from vidplan_training.recipes.contact.annotate import Annotator
from vidplan_training.recipes.contact.data import Episodes, Gathered, Windows
from vidplan_training.recipes.contact.model import (
    HOPS,
    MOSTLY_MEAN,
    WITH_JUMPS,
    Batches,
    Check,
    ContactModel,
    Shares,
    with_readout,
)
from vidplan_training.recipes.contact.pool import SharedSamples
from vidplan_training.recipes.contact.readout import (
    LIFT_HOP,
    calibrate,
    imagined_rows,
    readout_loss,
    readout_report,
)
from vidplan_training.recipes.contact.relations import (
    LookedRows,
    head_of,
    look,
    relations_loss,
)
from vidplan_training.recipes.contact.settings import ContactRecipe, StageSettings
from vidplan_training.recipes.contact.uncertainty import ErrorSampler, error_loss, error_report
from vidplan_training.recipes.contact.value import (
    PICTURES,
    ValueSampler,
    frames_loss,
    value_config,
)
from vidplan_training.recipes.contact.value_check import check_value, order_of
from vidplan_training.recipes.contact.visits import visit

VALUE_WIDTHS = (32, 64, 96)


@dataclass
class ContactRun:
    """One run: what was asked for, data of both splits and what it found out."""

    recipe: ContactRecipe
    model: WorldModel
    training: Episodes
    held_out: Episodes
    report: dict[str, Any] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    def windows(self, held_out: bool, ahead: int = 0) -> Windows:
        """Windows of a split."""
        config = self.model.config
        episodes = self.held_out if held_out else self.training
        return Windows(episodes, config.history_frames, config.frames, ahead)

    def tell(self, stage: str, found: dict[str, Any]) -> None:
        """Print and keep what a stage found out."""
        self.report[stage] = found
        print(f'{stage} at {time.monotonic() - self.began:.0f} s: {json.dumps(found)}', flush=True)
        self.recipe.out.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.report, indent=1) + '\n'
        (self.recipe.out / 'contact.json').write_text(text)


def run(recipe: ContactRecipe) -> int:
    """Collect what is missing, then train stage after stage."""
    device = torch.device(recipe.device or ('cuda' if torch.cuda.is_available() else 'cpu'))
    torch.set_float32_matmul_precision('high')
    model = load_world_model(recipe.models, device)
    if model.outcome is None:
        with_readout(model)
    began = time.monotonic()
    gathered, counts = _gather(recipe, model, device)
    training, held_out = gathered.episodes(False), gathered.episodes(True)
    found = ContactRun(recipe, model, training, held_out, began=began)
    found.tell('data', counts | {'training_frames': len(found.training.latents)})
    for stage in recipe.stages:
        TRAIN[stage](found)
    return 0


def _gather(
    recipe: ContactRecipe, model: WorldModel, device: torch.device
) -> tuple[Gathered, dict[str, Any]]:
    """Read the shards that are there, collect what is missing, and encode every one."""
    scorer = SemanticScorer.load(recipe.models / 'semantic', device)
    annotator = Annotator(model.autoencoder, scorer, device)
    statistics = Statistics.of(model.config)
    looks = bool({'value', 'relations'} & set(recipe.stages))
    gathered = Gathered(annotator, statistics, relevancy=looks)
    todo = jobs(recipe.data, recipe.first, recipe.episodes, recipe.shard, recipe.frames)
    found: list[Shard] = []
    asked = {job.folder for job in todo}
    there = [path.parent for path in sorted(recipe.data.glob('shard_*/meta.json'))]
    stop_at = time.time() + (recipe.collect_s or math.inf)
    for folder in chain([f for f in there if f not in asked],
                        collect(todo, recipe.workers, stop_at)):  # fmt: skip
        shard = Shard(folder, json.loads((folder / 'meta.json').read_text()))
        gathered.add(shard)
        found.append(shard)
        if recipe.drop_images:
            (folder / 'images.npy').unlink(missing_ok=True)
    counts = measure(found)
    print(table(counts), flush=True)
    return gathered, counts


def _train(
    run: ContactRun, stage: str, module: nn.Module, loss: Callable[[int], Tensor],
    report: Callable[[], dict[str, float]] | None = None,
) -> None:  # fmt: skip
    """Train a module, to the average of its weights."""
    settings: StageSettings = getattr(run.recipe, stage)
    checkpoint = run.recipe.work / f'{stage}.pt'
    trainer = Trainer(module, settings.trainer.with_short_warmup(), checkpoint)
    trainer.run(loss, None if report is None else lambda _: report())
    trainer.use_average()


def _train_model(run: ContactRun) -> None:
    _train_world_model(run, 'model', MOSTLY_MEAN)


def _train_jumps(run: ContactRun) -> None:
    _train_world_model(run, 'jumps', WITH_JUMPS)


def _train_world_model(run: ContactRun, stage: str, shares: Shares) -> None:
    recipe, model = run.recipe, run.model
    model.backbone.requires_grad_(True)
    model.outcome.requires_grad_(True)  # type: ignore[union-attr]
    check = Check(run.windows(held_out=True), recipe.checked)
    before = check.measure(model)
    reference = deepcopy(model).requires_grad_(False)
    module = ContactModel(model, reference)
    batches = Batches(run.windows(False), run.windows(False, max(HOPS)), recipe.seed)
    rows = getattr(recipe, stage).batch
    _train(
        run, stage, module, lambda i: module.loss(*batches.at(model, i, rows), shares),
        lambda: check.measure(model),
    )  # fmt: skip
    model.requires_grad_(False)
    save_world_model(recipe.out / 'world_model', model)
    run.tell(stage, {'before': before, 'after': check.measure(model)})


def _train_readout(run: ContactRun) -> None:
    """The readout on imaginations of the model as it is by now."""
    recipe, model = run.recipe, run.model
    model.requires_grad_(False)
    assert model.outcome is not None
    model.outcome.requires_grad_(True)
    rows, held_out = (
        imagined_rows(model, run.windows(h), run.windows(h, LIFT_HOP), count, recipe.seed)
        for h, count in ((False, recipe.imagined), (True, recipe.checked))
    )
    readout = model.outcome
    before = readout_report(readout, held_out)

    def loss(iteration: int) -> Tensor:
        rng = torch.Generator().manual_seed(1_000_003 * recipe.seed + iteration)
        return readout_loss(readout, rows, rng, recipe.readout.batch)

    _train(run, 'readout', readout, loss, lambda: readout_report(readout, held_out))
    model.requires_grad_(False)
    scale, shift = calibrate(readout, held_out)
    save_world_model(recipe.out / 'world_model', model)
    after = readout_report(readout, held_out)
    run.tell('readout', {'before': before, 'after': after, 'scale': scale, 'shift': shift})


def _train_uncertainty(run: ContactRun) -> None:
    recipe, model = run.recipe, run.model
    head = load_uncertainty(recipe.models, model.mean.device)
    head.requires_grad_(True)
    samples, other = (
        ErrorSampler(model, run.windows(h), run.windows(h, max(HOPS)), recipe.seed)
        for h in (False, True)
    )
    groups = max(1, recipe.checked // 64)
    before = error_report(head, other, groups)
    rows = recipe.uncertainty.batch
    _train(
        run, 'uncertainty', head,
        lambda i: error_loss(head, samples.sample(i, rows, recipe.seed)),
    )  # fmt: skip
    save_head(recipe.out / UNCERTAINTY, head.requires_grad_(False))
    after = error_report(head, other, groups)
    run.tell('uncertainty', {'before': before, 'after': after})


def _train_value(run: ContactRun) -> None:
    recipe = run.recipe

    def learn(head: ValueHead, samples: ValueSampler) -> None:
        pool = SharedSamples(samples, recipe.value.batch, recipe.pool, recipe.reuse, recipe.seed)
        _train(run, 'value', head, lambda i: frames_loss(head, pool.at(i)))

    _improve_value(run, 'value', recipe.models, learn)


def _train_relations(run: ContactRun) -> None:
    """What reads relations, after the rest of the head, which the same run may have trained."""
    recipe = run.recipe

    def learn(head: ValueHead, samples: ValueSampler) -> None:
        head.requires_grad_(False)
        rows = look(head.eval(), samples, recipe.looked, recipe.seed, recipe.work / 'looked')
        visits, others = _visits(run)
        rows = rows if visits is None else LookedRows.cat([rows, visits])
        before = None if others is None else order_of(head, others)
        assert head.relations is not None
        head.relations.requires_grad_(True)
        batch = recipe.relations.batch
        _train(run, 'relations', head.train(), lambda i: relations_loss(head, rows, batch, i))
        if others is not None:
            run.tell('visits', {'before': before, 'after': order_of(head.eval(), others)})

    _improve_value(run, 'relations', recipe.out if 'value' in run.report else recipe.models, learn)


def _visits(run: ContactRun) -> tuple[LookedRows | None, LookedRows | None]:
    """Moments that a planner with the models visits, of both splits."""
    recipe = run.recipe
    if 'value' in run.report:
        if not recipe.visits:
            return None, None
        raise ConfigError(
            'visits are looked at by the value of `models`; train stage relations in a run of its '
            'own, from the models folder that stage value wrote'
        )
    seeds = range(recipe.first_visit, recipe.first_visit + recipe.visits)
    return visit(recipe.models, recipe.work / 'visits', seeds, recipe.workers)


def _improve_value(
    run: ContactRun, stage: str, models: Path, learn: Callable[[ValueHead, ValueSampler], None]
) -> None:
    """Let the value of a models folder learn; write it, and report how it orders branches."""
    recipe, model = run.recipe, run.model
    scorer = SemanticScorer.load(recipe.models / 'semantic', model.mean.device)
    samples = ValueSampler(model, scorer, run.training)
    torch.manual_seed(recipe.seed)
    head = head_of(models, value_config(model, scorer, VALUE_WIDTHS), model.mean.device)
    check = ValueSampler(model, scorer, run.held_out)
    before = check_value(head, check, 'imagined')
    print(f'value before: {json.dumps(before)}', flush=True)
    learn(head.train(), samples)
    head.eval().requires_grad_(False)
    save_head(recipe.out / VALUE, head)
    found = {picture: check_value(head, check, picture) for picture in PICTURES}
    run.tell(stage, {'before': before} | found)


TRAIN: dict[str, Callable[[ContactRun], None]] = {
    'model': _train_model,
    'readout': _train_readout,
    'jumps': _train_jumps,
    'uncertainty': _train_uncertainty,
    'value': _train_value,
    'relations': _train_relations,
}
