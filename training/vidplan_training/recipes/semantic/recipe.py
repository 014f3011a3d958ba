# SPDX-License-Identifier: Apache-2.0
"""Train the semantic scorer: a small open_clip model whose patches know the phrases."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from vidplan_core.language.dense import run_block, value_path
from vidplan_core.language.open_clip_model import WEIGHTS_FILE, open_clip_module, save_open_clip
from vidplan_core.language.relevancy import Centring
from vidplan_core.language.semantic import SemanticScorer
from vidplan_core.language.semantic_config import SemanticConfig, write_config
from vidplan_core.models.precision import has_bfloat16
from vidplan_training.engine.trainer import Trainer
from vidplan_training.recipes.semantic.card import write_card
from vidplan_training.recipes.semantic.check import MADE_UP, calibrate, score_scenes, summarise
from vidplan_training.recipes.semantic.data import (
    SegmentedViews,
    ViewBatch,
    augment,
    coverage,
    held_out_views,
    training_views,
)
from vidplan_training.recipes.semantic.decoded import decode_shards
from vidplan_training.recipes.semantic.loss import (
    MAX_SCALE,
    balance,
    contrastive_loss,
    dense_loss,
    neutral_mask,
    patch_targets,
)
from vidplan_training.recipes.semantic.phrases import NEGATIVES, PhraseBook, phrase_book
from vidplan_training.recipes.semantic.settings import SemanticRecipe

PATCH = 8
CAPTION_AREA_PX = 30
UNKNOWN_PHRASES = 24
CONTRASTIVE_WEIGHT = 0.1
CENTRING = Centring(floor=0.0, power=2.0, connected=0.5)


@dataclass(frozen=True)
class Mix:
    """What an iteration draws: views, and the share of them that a world model decoded."""

    batch: int
    decoded: float
    seed: int


def model_description(height: int, width: int, vision_width: int, layers: int) -> dict[str, Any]:
    """Return the open_clip description of the cell's model, one view at its size."""
    return {
        'model_cfg': {
            'embed_dim': 128,
            'vision_cfg': {
                'image_size': [height, width],
                'patch_size': PATCH,
                'layers': layers,
                'width': vision_width,
                'head_width': 64,
                'mlp_ratio': 2.0,
            },
            'text_cfg': {
                'context_length': 16,
                'vocab_size': 49408,
                'width': 64,
                'heads': 2,
                'layers': 2,
            },
        },
        'preprocess_cfg': {
            'mean': [0.5] * 3,
            'std': [0.25] * 3,
            'interpolation': 'bilinear',
            'resize_mode': 'squash',
        },
    }


def build_model(description: dict[str, Any]) -> nn.Module:
    """Return a fresh open_clip model of a description."""
    return open_clip_module().CLIP(**description['model_cfg'])


class SemanticLoss:
    """The loss of an iteration, drawn from the iteration's number alone."""

    def __init__(
        self,
        model: nn.Module,
        views: SegmentedViews,
        book: PhraseBook,
        mix: Mix,
        description: dict[str, Any],
    ) -> None:
        self._model: Any = model
        self.book, self.description = book, description
        self._views, self._mix = views, mix
        context = description['model_cfg']['text_cfg']['context_length']
        tokenizer = open_clip_module().tokenizer.SimpleTokenizer(context_length=context)
        self._tokenize = tokenizer
        self._preprocess = description['preprocess_cfg']

    def __call__(self, iteration: int) -> Tensor:
        """Return the sum of the dense and the contrastive loss."""
        rng = np.random.default_rng([self._mix.seed, iteration])
        batch = augment(self._views.sample(rng, self._mix.batch, self._mix.decoded), rng)
        known, unknown = self.book.known(rng), self.book.unknown(rng, UNKNOWN_PHRASES)
        captions, matches = self._captions(batch, rng)
        texts = self._encode([*known, *unknown, *NEGATIVES, *captions])
        phrases, negatives, captioned = texts.split(
            [len(known) + len(unknown), len(NEGATIVES), len(captions)]
        )
        patches, pooled = self._look(batch.images, len(captions))
        targets, weight = self._targets(batch, len(unknown))
        scale = self._scale()
        allowed = neutral_mask([*known, *unknown], NEGATIVES)
        dense = dense_loss(patches, phrases, negatives, allowed, targets, weight, scale)
        return dense + CONTRASTIVE_WEIGHT * contrastive_loss(pooled, captioned, matches, scale)

    def _look(self, images: Tensor, pooled: int) -> tuple[Tensor, Tensor]:
        """Return patch embeddings of all images and pooled ones of the first few."""
        tower = self._model.visual
        mean, std = self._preprocess['mean'][0], self._preprocess['std'][0]
        with torch.autocast('cpu', torch.bfloat16, enabled=has_bfloat16()):
            tokens = tower._embeds((images - mean) / std)
            *blocks, last = tower.transformer.resblocks
            for block in blocks:
                tokens = run_block(block, tokens)
            patches = value_path(tower, tokens)
            whole, _ = tower._pool(run_block(last, tokens[:pooled]))
            whole = whole @ tower.proj
        return F.normalize(patches.float(), dim=-1), F.normalize(whole.float(), dim=-1)

    def _encode(self, sentences: list[str]) -> Tensor:
        return self._model.encode_text(self._tokenize(sentences), normalize=True)

    def _scale(self) -> Tensor:
        return self._model.logit_scale.exp().clamp(max=MAX_SCALE)

    def _targets(self, batch: ViewBatch, unknown: int) -> tuple[Tensor, Tensor]:
        """Return targets and weights, (batch, patches, known + unknown phrases)."""
        covered = coverage(batch.labels, len(self.book.names), PATCH)
        targets = F.pad(patch_targets(covered[..., 1:]), (0, unknown))
        weight = balance(targets).expand_as(targets).clone()
        # The hand is part of the robot, so its patches say nothing about the word.
        robot, gripper = (self.book.names.index(name) for name in ('robot', 'gripper'))
        weight[..., robot - 1] *= covered[..., gripper] == 0
        return targets, weight

    def _captions(self, batch: ViewBatch, rng: np.random.Generator) -> tuple[list[str], Tensor]:
        """Return captions of a quarter of the views, and which are true of which of those."""
        captions, named, shown = [], [], []
        for labels in batch.labels[: max(2, self._mix.batch // 4)]:
            areas = torch.bincount(labels.flatten(), minlength=len(self.book.names))
            visible = [
                name
                for name, area in zip(self.book.names, areas, strict=True)
                if area >= CAPTION_AREA_PX and name != 'background'
            ]
            caption, subjects = self.book.caption(rng, visible)
            captions.append(caption)
            named.append(subjects)
            shown.append(set(visible))
        matches = [[subjects <= visible for subjects in named] for visible in shown]
        return captions, torch.tensor(matches)


def prepare(recipe: SemanticRecipe) -> tuple[SemanticLoss, Trainer]:
    """Return the loss and the trainer of a run, resumed from its checkpoint if there is one."""
    views = training_views(recipe.data, recipe.reconstructions)
    height, width = views.scene(views.frames()[0]).images.shape[-2:]
    description = model_description(height, width, recipe.width, recipe.layers)
    torch.manual_seed(recipe.seed)
    model = build_model(description)
    if recipe.start:
        model.load_state_dict(load_file(recipe.start / WEIGHTS_FILE))
    mix = Mix(recipe.batch, recipe.decoded if views.has_alternatives() else 0.0, recipe.seed)
    warmup = min(recipe.trainer.warmup, recipe.trainer.iterations // 10 + 1)
    loss = SemanticLoss(model, views, phrase_book(views.names, _described()), mix, description)
    return loss, Trainer(model, replace(recipe.trainer, warmup=warmup), recipe.work)


def run(recipe: SemanticRecipe) -> int:
    """Train, calibrate, measure and write the model folder."""
    if recipe.models is not None and recipe.reconstructions is not None:
        decode_shards(recipe.data, recipe.models, recipe.reconstructions)
    loss, trainer = prepare(recipe)
    trainer.run(loss)
    save_open_clip(trainer.use_average(), loss.description, recipe.out)
    held_out = held_out_views(recipe.data, recipe.reconstructions)
    report = measure(recipe.out, held_out, loss.book, recipe.scenes)
    print(json.dumps({k: v for k, v in report.items() if k != 'phrases'}, indent=2))
    return 0


def measure(folder: Path, views: SegmentedViews, book: PhraseBook, scenes: int) -> dict[str, Any]:
    """Calibrate on one half of the held-out scenes, measure on the other, write both down."""
    config = SemanticConfig(
        model_name='', negatives=NEGATIVES, relevancy_scale=None, centring=CENTRING
    )
    write_config(config, folder)
    scorer = SemanticScorer.load(folder)
    known = len(book.names) - 1
    phrases = [*(book.phrases[name][0] for name in book.names[1:]), *MADE_UP]
    segments = [*range(1, 1 + known), *[-1] * len(MADE_UP)]
    frames = _spread(views.frames(), scenes)
    first, second = frames[: len(frames) // 2], frames[len(frames) // 2 :]
    threshold = calibrate(score_scenes(scorer, views, first, phrases, segments), known)
    write_config(replace(config, threshold=threshold), folder)
    report: dict[str, Any] = {'threshold': threshold}
    scores = score_scenes(scorer, views, second, phrases, segments)
    report |= summarise(scores, phrases, known, threshold)
    if views.has_alternatives():
        decoded = score_scenes(scorer, views, second, phrases, segments, alternative=True)
        report['decoded'] = summarise(decoded, phrases, known, threshold)
    (folder / 'metrics.json').write_text(json.dumps(report, indent=2) + '\n')
    write_card(folder, report)
    return report


def _spread(frames: list[tuple[int, int, int]], count: int) -> list[tuple[int, int, int]]:
    picked = np.linspace(0, len(frames) - 1, min(count, len(frames)))
    return [frames[i] for i in picked.astype(int)]


def _described() -> dict[str, tuple[str, ...]]:
    from vidplan_sim.objects.everyday import BOWL, KINDS

    return {kind.name: kind.phrases for kind in (*KINDS, BOWL)}
