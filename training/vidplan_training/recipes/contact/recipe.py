# SPDX-License-Identifier: Apache-2.0
"""Collect, encode and train what foresees touching, part by part.

Every part is written as soon as it is trained, so that a run that is cut short leaves what it
has; the parts of one run belong together.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass, field
from typing import Any

import torch

from vidplan_core.heads.network import save_head
from vidplan_core.heads.uncertainty import FOLDER as UNCERTAINTY
from vidplan_core.heads.uncertainty import load_uncertainty
from vidplan_core.heads.value import FOLDER as VALUE
from vidplan_core.heads.value import ValueHead
from vidplan_core.language.semantic import SemanticScorer
from vidplan_core.world_model.checkpoint import load_world_model, save_world_model
from vidplan_core.world_model.world_model import WorldModel
from vidplan_sim.expert.rule import PHASES
from vidplan_training.collect.contact.measure import measure, table
from vidplan_training.collect.contact.run import collect, jobs
from vidplan_training.data.dataset import Shard
from vidplan_training.data.latents import Statistics
from vidplan_training.recipes.contact.data import Episodes, Gathered, Windows
from vidplan_training.recipes.contact.loop import train
from vidplan_training.recipes.contact.model import (
    HOPS,
    Batches,
    Check,
    ContactModel,
    with_readout,
)
from vidplan_training.recipes.contact.settings import ContactRecipe
from vidplan_training.recipes.contact.uncertainty import ErrorSampler, error_loss, error_report
from vidplan_training.recipes.contact.value import (
    BRANCHES,
    PICTURES,
    ValueBatch,
    ValueSampler,
    frames_loss,
    value_config,
)
from vidplan_training.recipes.contact.value_check import branch_choices, means

VALUE_WIDTHS = (32, 64, 96)
POOL_ITERATIONS = 16  # that learn from the same rollouts


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
    model.backbone.requires_grad_(True)
    model.outcome.requires_grad_(True)  # type: ignore[union-attr]
    began = time.monotonic()
    gathered, counts = _gather(recipe, model, device)
    training, held_out = gathered.episodes(False), gathered.episodes(True)
    found = ContactRun(recipe, model, training, held_out, began=began)
    found.tell('data', counts | {'training_frames': len(found.training.latents)})
    for stage in recipe.stages:
        {'model': _train_model, 'uncertainty': _train_uncertainty, 'value': _train_value}[stage](
            found
        )
    return 0


def _gather(
    recipe: ContactRecipe, model: WorldModel, device: torch.device
) -> tuple[Gathered, dict[str, Any]]:
    """Collect, and encode every shard as it comes."""
    gathered = Gathered(model.autoencoder, Statistics.of(model.config), device)
    todo = jobs(recipe.data, recipe.first, recipe.episodes, recipe.shard, recipe.frames)
    found = []
    for folder in collect(todo, recipe.workers, time.time() + (recipe.collect_s or math.inf)):
        shard = Shard(folder, json.loads((folder / 'meta.json').read_text()))
        gathered.add(shard)
        found.append(shard)
        if recipe.drop_images:
            (folder / 'images.npy').unlink(missing_ok=True)
    counts = measure(found)
    print(table(counts), flush=True)
    return gathered, counts


def _train_model(run: ContactRun) -> None:
    recipe, model = run.recipe, run.model
    check = Check(run.windows(held_out=True), recipe.checked)
    before = check.measure(model)
    module = ContactModel(model, model)
    batches = Batches(run.windows(False), run.windows(False, max(HOPS)), recipe.seed)
    iterations = train(
        module,
        lambda i: module.loss(*batches.at(model, i, recipe.model.batch)),
        recipe.model.budget,
        recipe.model.learning_rate,
        'model',
    )
    model.requires_grad_(False)
    save_world_model(recipe.out / 'world_model', model)
    run.tell('model', {'iterations': iterations, 'before': before, 'after': check.measure(model)})


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
    iterations = train(
        head,
        lambda i: error_loss(head, samples.sample(i, recipe.uncertainty.batch, recipe.seed)),
        recipe.uncertainty.budget,
        recipe.uncertainty.learning_rate,
        'uncertainty',
    )
    save_head(recipe.out / UNCERTAINTY, head.requires_grad_(False))
    after = error_report(head, other, groups)
    run.tell('uncertainty', {'iterations': iterations, 'before': before, 'after': after})


class _Pool:
    """Samples that a stretch of iterations shares."""

    def __init__(self, samples: ValueSampler, batch: int, seed: int) -> None:
        self._samples, self._batch, self._seed = samples, batch, seed
        self._number = -1
        self._kept: ValueBatch | None = None

    def at(self, iteration: int) -> ValueBatch:
        """Half of a pool: whole branch sets first, then other windows."""
        number = iteration // POOL_ITERATIONS
        sets = max(1, self._batch // 2 // BRANCHES)
        if number != self._number or self._kept is None:
            rng = torch.Generator().manual_seed(7_000_003 * self._seed + number)
            self._kept = self._samples.make(rng, 3 * sets, 3 * self._batch // 2)
            self._number = number
        rng = torch.Generator().manual_seed(iteration)
        chosen = torch.randperm(3 * sets, generator=rng)[:sets]
        first = (chosen[:, None] * BRANCHES + torch.arange(BRANCHES)).flatten()
        others = torch.randperm(3 * self._batch // 2, generator=rng)[: self._batch // 2]
        index = torch.cat([first, 3 * sets * BRANCHES + others])
        return self._kept.rows(index.to(self._kept.to_go.device))


def _train_value(run: ContactRun) -> None:
    recipe, model = run.recipe, run.model
    scorer = SemanticScorer.load(recipe.models / 'semantic', model.mean.device)
    samples = ValueSampler(model, scorer, run.training)
    torch.manual_seed(recipe.seed)
    head = ValueHead(value_config(model, scorer, VALUE_WIDTHS)).to(model.mean.device)
    pool = _Pool(samples, recipe.value.batch, recipe.seed)
    iterations = train(
        head,
        lambda i: frames_loss(head, pool.at(i)),
        recipe.value.budget,
        recipe.value.learning_rate,
        'value',
    )
    head.eval().requires_grad_(False)
    save_head(recipe.out / VALUE, head)
    check = ValueSampler(model, scorer, run.held_out)
    found = {picture: check_value(head, check, picture) for picture in PICTURES}
    run.tell('value', {'iterations': iterations, **found})


def check_value(head: ValueHead, samples: ValueSampler, picture: str) -> dict[str, Any]:
    """How the head orders held-out branches when it is shown a kind of picture."""
    found = branch_choices(head, samples, picture)
    phases = samples.episodes.phase[samples.sets[:, 0].to(samples.episodes.device)].tolist()
    by_phase = {
        name: means([c for c, p in zip(found, phases, strict=True) if PHASES[p] == name])
        for name in PHASES[:-1]
    }
    return means(found) | {'by_phase': by_phase}
