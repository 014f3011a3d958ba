# SPDX-License-Identifier: Apache-2.0
"""One resumable training loop for every model, on one process or many."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vidplan_core.errors import ConfigError
from vidplan_training.engine.batch_shard import WHOLE, BatchShard
from vidplan_training.engine.config import PRECISIONS, TrainerConfig
from vidplan_training.engine.curves import Curves
from vidplan_training.engine.interruption import Interruption
from vidplan_training.engine.processes import Processes, fsdp_asked_for
from vidplan_training.engine.progress_log import ProgressLog
from vidplan_training.engine.sharding import (
    clip_gradients,
    gathered,
    make_whole,
    shard,
    spread_like,
    whole_parameters,
)
from vidplan_training.engine.training_state import fill, fill_optimizer, write_state

LossFunction = Callable[[int], Tensor]
Report = Callable[[int], 'str | Mapping[str, float]']


class Trainer:
    """AdamW with a cosine schedule and an average of the weights, checkpointed.

    The loss of an iteration may depend on the iteration alone (its data are drawn from a
    generator seeded with it), so that a resumed run follows the curve of an unbroken one.

    With several processes, or with accumulation, the loss function is called for one part of
    the batch at a time. It then takes its rows and its noise through `shard`; the mean over
    the parts must be the loss of the batch.
    """

    def __init__(self, module: nn.Module, config: TrainerConfig, checkpoint: Path) -> None:
        self.processes = Processes()
        self.module, self.config, self.checkpoint = module, config, checkpoint
        self._precision = _precision(config.precision, self.device)
        module.to(self.device)
        stored = fill(module, checkpoint) if checkpoint.exists() else None
        self.processes.synchronise(module)
        self.sharded = self.processes.count > 1 and (config.shard or fsdp_asked_for())
        if self.sharded:
            shard(module, self.processes.count, self.device)
        trained = [p for p in module.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(
            trained, config.learning_rate, weight_decay=config.weight_decay, betas=(0.9, 0.99)
        )
        # Without an average it is the weights themselves, and takes no memory.
        kept = torch.Tensor.clone if config.ema else torch.Tensor.detach
        self.average = {n: kept(p.detach()) for n, p in module.named_parameters()}
        self.iteration, self.gradient_norm = 0, math.nan
        self._shard, self._divided = WHOLE, False
        self._interruption, self._stopping = Interruption(), False
        if stored is not None:
            self._resume(stored)

    @property
    def device(self) -> torch.device:
        """Where the module is and its batches must be."""
        return self.processes.device

    @property
    def main(self) -> bool:
        """Whether this process is the one that prints and writes files."""
        return self.processes.main

    @property
    def shard(self) -> BatchShard:
        """The part of the batch that the loss function is asked for now."""
        self._divided = True
        return self._shard

    def run(self, loss_function: LossFunction, report: Report | None = None) -> None:
        """Train to the configured number of iterations, saving on the way and at the end.

        SIGINT and SIGTERM save too, and then end the program.
        """
        curves = self._curves()
        with Interruption() as self._interruption:
            try:
                self._loop(loss_function, report, curves)
            finally:
                if curves:
                    curves.close()
        self.save()
        if self._stopping:
            self.tell(f'stopped at iteration {self.iteration}; run again to go on')
            raise SystemExit(128 + (self._interruption.signal or 15))

    def step(self, loss_function: LossFunction) -> float:
        """One iteration; returns its loss over all processes.

        Raises FloatingPointError when the loss or its gradient is not finite, and ConfigError
        when there are several parts and the loss function did not ask for its share.
        """
        for group in self.optimizer.param_groups:
            group['lr'] = self.learning_rate
        self.optimizer.zero_grad(set_to_none=True)
        value = self._backward(loss_function)
        if not math.isfinite(value):
            raise FloatingPointError(f'loss is {value} at iteration {self.iteration}')
        self.processes.average_gradients(whole_parameters(self.module))
        clip = clip_gradients if self.sharded else nn.utils.clip_grad_norm_
        self.gradient_norm = float(clip([*self.module.parameters()], self.config.clip))
        if not math.isfinite(self.gradient_norm):
            raise FloatingPointError(
                f'the gradient is {self.gradient_norm} at iteration {self.iteration}'
            )
        self.optimizer.step()
        self.iteration += 1
        self._update_average()
        return value

    def save(self) -> None:
        """Write the checkpoint atomically."""
        state = {
            'iteration': self.iteration,
            'module': dict(self.module.state_dict()),
            'average': self.average,
            'optimizer': self.optimizer.state_dict(),
        }
        state = gathered(state, self.main) if self.sharded else state
        if self.main:
            write_state(self.checkpoint, state)
        self.processes.wait()

    def use_average(self) -> nn.Module:
        """Load the averaged weights into the module and return it in evaluation mode."""
        with torch.no_grad():
            for name, parameter in self.module.named_parameters():
                parameter.copy_(self.average[name])
        make_whole(self.module)
        return self.module.eval()

    @property
    def learning_rate(self) -> float:
        """Of the next iteration: a warm-up, then half a cosine down to a fiftieth."""
        warm = min(1.0, (self.iteration + 1) / max(self.config.warmup, 1))
        fraction = min(self.iteration / max(self.config.iterations, 1), 1.0)
        shape = 0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * fraction))
        return self.config.learning_rate * warm * shape

    def _loop(
        self, loss_function: LossFunction, report: Report | None, curves: Curves | None
    ) -> None:
        config = self.config
        progress = ProgressLog(self.checkpoint.stem, config.iterations, self.iteration)
        smooth, began, first = math.nan, time.monotonic(), self.iteration
        while self.iteration < config.iterations and not self._stopping:
            rate = self.learning_rate
            loss = self.step(loss_function)
            smooth = loss if math.isnan(smooth) else 0.98 * smooth + 0.02 * loss
            if curves and self.iteration % config.log_every == 0:
                speed = (self.iteration - first) / max(time.monotonic() - began, 1e-9)
                curves.numbers(
                    self.iteration,
                    {
                        'loss': loss,
                        'loss_smooth': smooth,
                        'learning_rate': rate,
                        'gradient_norm': self.gradient_norm,
                        'iterations_per_s': speed,
                    },
                )
            note = f'loss {smooth:.4f}'
            if self.iteration % config.save_every == 0:
                self.save()
                note += self._report(report, curves)
                self.tell(f'[{self.iteration}] {note}')
            if self.main:
                progress.update(self.iteration, note)

    def _report(self, report: Report | None, curves: Curves | None) -> str:
        """Ask for a report, in the main process; the others wait at their next gradient.

        Of a sharded network each process has a part, so that all must ask.
        """
        if not self.main and not self.sharded:
            return ''
        found = report(self.iteration) if report else ''
        if isinstance(found, Mapping):
            if curves:
                curves.numbers(self.iteration, found)
            text = '  '.join(f'{name} {value:.4g}' for name, value in found.items())
        else:
            text = found
            if curves and text:
                curves.note(self.iteration, text)
        return f'  {text}' if text else ''

    def _backward(self, loss_function: LossFunction) -> float:
        """Gradients of all parts of this process; returns the loss over all processes."""
        parts = self.config.accumulate
        total = torch.zeros((), device=self.device)
        for part in range(parts):
            index, count = self.processes.index * parts + part, self.processes.count * parts
            self._shard = BatchShard(index, count)
            # The same for every part: each draws for the whole batch and takes its own rows.
            torch.manual_seed(self.iteration)
            with self._autocast():
                loss = loss_function(self.iteration)
            (loss / parts).backward()
            total += loss.detach().to(total) / parts
        self._check_divided()
        stop = torch.tensor(float(self._interruption.signal != 0))
        value, stopping = self.processes.mean([total, stop])
        self._stopping = stopping.item() > 0
        return value.item()

    def _check_divided(self) -> None:
        if self._shard.count > 1 and not self._divided:
            raise ConfigError(
                f'this training does not divide its batch, so that {self._shard.count} parts '
                'would all do the same; run it in one process without accumulation'
            )

    def _autocast(self) -> AbstractContextManager[object]:
        if self._precision == 'bf16':
            return torch.autocast(self.device.type, torch.bfloat16)
        return nullcontext()

    def _curves(self) -> Curves | None:
        if not self.main or self.iteration >= self.config.iterations:
            return None
        beside = self.checkpoint.with_name(f'{self.checkpoint.stem}_curves')
        return Curves(self.config.log or beside, self.iteration)

    @torch.no_grad()
    def _update_average(self) -> None:
        if not self.config.ema:
            return
        decay = min(self.config.ema, (1 + self.iteration) / (10 + self.iteration))
        for name, parameter in self.module.named_parameters():
            self.average[name].lerp_(parameter, 1.0 - decay)

    def _resume(self, state: Mapping[str, Any]) -> None:
        """Go on where a checkpoint was written; the module has its weights already."""
        fill_optimizer(self.optimizer, state, self.checkpoint)
        if self.config.ema:
            own = dict(self.module.named_parameters())
            for name, value in state['average'].items():
                self.average[name] = spread_like(value.to(self.device), own[name])
        self.iteration = state['iteration']
        self.tell(f'resumed {self.checkpoint} at iteration {self.iteration}')

    def tell(self, line: str) -> None:
        """Print a line, once for all processes."""
        if self.main:
            print(line, flush=True)


def _precision(asked: str, device: torch.device) -> str:
    """Of the networks: what was asked for, of us or of `accelerate`, or what suits the device."""
    if asked != 'auto':
        return asked
    usual = 'bf16' if device.type == 'cuda' else 'no'
    chosen = os.environ.get('ACCELERATE_MIXED_PRECISION') or usual
    if chosen not in PRECISIONS:
        raise ConfigError(f"precision must be one of {PRECISIONS}, not '{chosen}'")
    return chosen
