# SPDX-License-Identifier: Apache-2.0
"""What a training at some size takes of each GPU's memory, counted before there is one.

Weights, gradients, optimiser and average follow from the number of parameters. Activations are
counted over one forward and backward pass of the training's own loss, on tensors that have
shapes and no numbers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from vidplan_core.data.action import PoseChunk
from vidplan_core.knobs import knob
from vidplan_core.world_model.world_model import WorldModel
from vidplan_eval.speed.engine_model import engine_spec
from vidplan_training.data.latents import Clips
from vidplan_training.engine.live_memory import LiveMemory
from vidplan_training.engine.lora import add_lora
from vidplan_training.engine.sharding import largest_unit
from vidplan_training.recipes.world_model.recipe import loss_of
from vidplan_training.settings.knobs import Settings

SIZES = ('full', 'small', 'tiny')
TRAININGS = ('world-model', 'flow-map')
FP32 = 4


@dataclass(frozen=True, kw_only=True)
class MemorySettings(Settings):
    """Count what a training takes of each GPU's memory, in 10^9 bytes; needs no GPU."""

    training: str = knob('world-model', 'which one', choices=TRAININGS)
    size: str = knob('full', "Ctrl-World's, or narrower ones to try it", choices=SIZES)
    gpus: tuple[int, ...] = knob((1, 2, 4, 8), 'numbers of GPUs', low=1, empty=False)
    clips: int = knob(1, 'computed at once on each GPU: batch / GPUs / accumulate', low=1)
    lora_rank: int = knob(0, 'as of the training; 0: all weights', low=0)
    average: bool = knob(True, 'whether an average of the weights is kept (trainer.ema)')
    json: Path | None = knob(None, 'file for the result')


@dataclass(frozen=True)
class Counts:
    """Numbers of parameters, and bytes of activations, of one training.

    weights, trained: parameters of the network, and those of them that learn.
    unit: parameters of the largest part that a sharded training gathers at once.
    kept, again: most bytes of activations at a time, kept or with `checkpointing`.
    """

    weights: int
    trained: int
    unit: int
    kept: int
    again: int


def run(settings: MemorySettings) -> int:
    """Count, print a table and write."""
    counts = count(settings)
    rows = [row for gpus in settings.gpus for row in per_gpu(counts, settings, gpus)]
    print('\n'.join(table(rows)), flush=True)
    about = {'training': settings.training, 'size': settings.size, 'clips': settings.clips,
             'lora_rank': settings.lora_rank, 'average': settings.average}  # fmt: skip
    result = {**about, 'counts': vars(counts), 'bytes_per_gpu': rows}
    if settings.json:
        settings.json.parent.mkdir(parents=True, exist_ok=True)
        settings.json.write_text(json.dumps(result, indent=1) + '\n')
    return 0


def count(settings: MemorySettings) -> Counts:
    """Parameters and activations of a size."""
    with FakeTensorMode():
        model = engine_spec(settings.size).build()
        backbone = model.requires_grad_(False).backbone
        weights, unit = sum(p.numel() for p in backbone.parameters()), largest_unit(backbone)
        backbone.requires_grad_(True)
        if settings.lora_rank:
            add_lora(backbone, settings.lora_rank)
        learning = [p for p in backbone.parameters() if p.requires_grad]
        for parameter in learning:  # so that gradients are not among what is counted
            parameter.grad = torch.zeros_like(parameter)
        kept = activations(model, settings.clips)
        backbone.train().keep_no_activations()
        again = activations(model, settings.clips)
    return Counts(weights, sum(p.numel() for p in learning), unit, kept, again)


def activations(model: WorldModel, clips: int) -> int:
    """Most bytes at a time of what a pass there and back makes; copies in bfloat16 included."""
    config = model.config
    frames = config.history_frames - 1 + config.frames
    rotation = torch.eye(3).expand(clips, frames, 3, 3)
    poses = PoseChunk(torch.zeros(clips, frames, 3), rotation, torch.zeros(clips, frames))
    size = (model.mean.shape[2], config.latent_height, config.latent_width)
    batch = Clips(torch.zeros(clips, frames, *size), poses, ('',) * clips)
    with LiveMemory() as memory:
        loss_of(model, batch, 0.0).backward()
    return memory.peak


def per_gpu(counts: Counts, settings: MemorySettings, gpus: int) -> Iterator[dict[str, Any]]:
    """Bytes by part on each of some GPUs, with whole weights and, on several, with shares."""
    flow_map = settings.training == 'flow-map'
    for sharded in (False, True) if gpus > 1 and not settings.lora_rank else (False,):
        share = gpus if sharded else 1
        held = {
            'weights': FP32 * counts.weights // share,
            'gradients': FP32 * counts.trained // share,
            'optimiser': 2 * FP32 * counts.trained // share,
            'average': FP32 * counts.weights // share if settings.average else 0,
            'teacher': FP32 * counts.weights if flow_map else 0,
            # The part that computes and the next one, and the gradient of the first.
            'gathered': 3 * FP32 * counts.unit if sharded else 0,
        }
        whole = sum(held.values())
        yield {
            'gpus': gpus, 'sharded': sharded, **held, 'activations': counts.kept,
            'activations_again': counts.again, 'total': whole + counts.kept,
            'total_again': whole + counts.again,
        }  # fmt: skip


def table(rows: list[dict[str, Any]]) -> Iterator[str]:
    """A line per row, in 10^9 bytes; `again`: activations computed again (checkpointing)."""
    names = [name for name in rows[0] if name not in ('gpus', 'sharded')]
    yield 'GPUs  ' + '  '.join(f'{name:>11}' for name in ('', *names))
    for row in rows:
        kind = 'FSDP' if row['sharded'] else 'whole'
        numbers = '  '.join(f'{row[name] / 1e9:{max(len(name), 11)}.2f}' for name in names)
        yield f'{row["gpus"]:4}  {kind:>11}  {numbers}'
