# SPDX-License-Identifier: Apache-2.0
"""One resumable training loop for every model."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from vidplan_training.progress import Progress

LossFunction = Callable[[int], Tensor]


@dataclass(frozen=True)
class TrainerConfig:
    """Optimisation of one run; `iterations` is the whole length, resumed parts included."""

    iterations: int
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    warmup: int = 200
    clip: float = 1.0
    ema: float = 0.999
    save_every: int = 500


class Trainer:
    """AdamW with a cosine schedule and an average of the weights, checkpointed.

    The loss of an iteration may depend on the iteration alone (its data are drawn from a
    generator seeded with it), so that a resumed run follows the curve of an unbroken one.
    """

    def __init__(self, module: nn.Module, config: TrainerConfig, checkpoint: Path) -> None:
        self.module, self.config, self.checkpoint = module, config, checkpoint
        trained = [p for p in module.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(
            trained, config.learning_rate, weight_decay=config.weight_decay, betas=(0.9, 0.99)
        )
        self.average = {n: p.detach().clone() for n, p in module.named_parameters()}
        self.iteration = 0
        self._resume()

    def run(self, loss_function: LossFunction, report: Callable[[int], str] | None = None) -> None:
        """Train to the configured number of iterations, saving on the way and at the end."""
        progress = Progress(self.checkpoint.stem, self.config.iterations, self.iteration)
        smooth = math.nan
        while self.iteration < self.config.iterations:
            loss = self.step(loss_function)
            smooth = loss if math.isnan(smooth) else 0.98 * smooth + 0.02 * loss
            note = f'loss {smooth:.4f}'
            if self.iteration % self.config.save_every == 0:
                self.save()
                note += f'  {report(self.iteration)}' if report else ''
                print(f'[{self.iteration}] {note}', flush=True)
            progress.update(self.iteration, note)
        self.save()

    def step(self, loss_function: LossFunction) -> float:
        """One iteration; returns its loss. Raises FloatingPointError when it is not finite."""
        for group in self.optimizer.param_groups:
            group['lr'] = self.config.learning_rate * self._schedule()
        torch.manual_seed(self.iteration)
        loss = loss_function(self.iteration)
        value = loss.item()
        if not math.isfinite(value):
            raise FloatingPointError(f'loss is {value} at iteration {self.iteration}')
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.module.parameters(), self.config.clip)
        self.optimizer.step()
        self.iteration += 1
        self._update_average()
        return value

    def save(self) -> None:
        """Write the checkpoint atomically."""
        self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        part = self.checkpoint.with_suffix('.part')
        torch.save(
            {
                'iteration': self.iteration,
                'module': self.module.state_dict(),
                'average': self.average,
                'optimizer': self.optimizer.state_dict(),
            },
            part,
        )
        part.replace(self.checkpoint)

    def use_average(self) -> nn.Module:
        """Load the averaged weights into the module and return it in evaluation mode."""
        with torch.no_grad():
            for name, parameter in self.module.named_parameters():
                parameter.copy_(self.average[name])
        return self.module.eval()

    def _schedule(self) -> float:
        warm = min(1.0, (self.iteration + 1) / max(self.config.warmup, 1))
        fraction = min(self.iteration / max(self.config.iterations, 1), 1.0)
        return warm * (0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * fraction)))

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.config.ema, (1 + self.iteration) / (10 + self.iteration))
        for name, parameter in self.module.named_parameters():
            self.average[name].lerp_(parameter, 1.0 - decay)

    def _resume(self) -> None:
        if not self.checkpoint.exists():
            return
        state = torch.load(self.checkpoint, map_location='cpu', weights_only=True)
        self.module.load_state_dict(state['module'])
        self.optimizer.load_state_dict(state['optimizer'])
        self.average = state['average']
        self.iteration = state['iteration']
        print(f'resumed {self.checkpoint} at iteration {self.iteration}', flush=True)
