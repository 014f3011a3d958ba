# SPDX-License-Identifier: Apache-2.0
"""The processes that train together, set up by `accelerate`: one, many, on CPUs or GPUs."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterable, Iterator, Sequence

import torch
from accelerate import PartialState
from accelerate.utils import broadcast, reduce
from torch import Tensor, nn

# Gradients travel in pieces of about this many numbers: few messages, little extra memory.
BUCKET = 1 << 24


class Processes:
    """What one process knows of all of them.

    Networks are not wrapped: a loss may call any method of its module. Gradients are averaged
    after the backward pass instead of during it.
    """

    def __init__(self) -> None:
        self._state = PartialState(cpu=_on_cpus())
        atexit.unregister(_leave)
        atexit.register(_leave)
        if _lost_processes():
            print(
                '`accelerate launch --cpu` starts a single process, whatever --num_processes '
                'says; use `vidplan-train --processes N ...` or torchrun',
                flush=True,
            )

    @property
    def index(self) -> int:
        """Number of this process, from 0."""
        return int(self._state.process_index)

    @property
    def count(self) -> int:
        """Number of processes."""
        return int(self._state.num_processes)

    @property
    def main(self) -> bool:
        """Whether this process writes files and prints."""
        return bool(self._state.is_main_process)

    @property
    def device(self) -> torch.device:
        """Where this process computes."""
        return torch.device(self._state.device)

    def wait(self) -> None:
        """Wait until every process has come this far."""
        self._state.wait_for_everyone()

    def mean(self, values: Sequence[Tensor]) -> list[Tensor]:
        """Means over all processes of scalars that each of them has."""
        stacked = torch.stack([value.detach().float().to(self.device) for value in values])
        return list((reduce(stacked, 'mean') if self.count > 1 else stacked).unbind())

    @torch.no_grad()
    def synchronise(self, module: nn.Module) -> None:
        """Give every process the weights of the first one."""
        if self.count > 1:
            for tensor in [*module.parameters(), *module.buffers()]:
                tensor.copy_(broadcast(tensor.detach().clone()))

    @torch.no_grad()
    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace gradients by their means; a parameter that nobody used keeps none."""
        if self.count == 1:
            return
        trained = [p for p in parameters if p.requires_grad]
        used = torch.tensor([float(p.grad is not None) for p in trained], device=self.device)
        somewhere = (reduce(used, 'sum') > 0).tolist()
        chosen = [p for p, wanted in zip(trained, somewhere, strict=True) if wanted]
        for p in chosen:
            p.grad = torch.zeros_like(p) if p.grad is None else p.grad
        for bucket in _buckets([p.grad for p in chosen if p.grad is not None]):
            mean = reduce(torch.cat([gradient.flatten() for gradient in bucket]), 'mean')
            for gradient, part in zip(bucket, mean.split([g.numel() for g in bucket])):
                gradient.copy_(part.view_as(gradient))


def _leave() -> None:
    """Leave the group in order; threads of it that the end of a process meets may abort it."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _buckets(gradients: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Consecutive gradients of one type, up to about `BUCKET` numbers at a time."""
    bucket: list[Tensor] = []
    size = 0
    for gradient in gradients:
        full = size + gradient.numel() > BUCKET
        if bucket and (full or gradient.dtype != bucket[0].dtype):
            yield bucket
            bucket, size = [], 0
        bucket.append(gradient)
        size += gradient.numel()
    if bucket:
        yield bucket


def fsdp_asked_for() -> bool:
    """Whether `accelerate launch --use_fsdp`, or its configuration, started this process."""
    return _flag('ACCELERATE_USE_FSDP')


def _on_cpus() -> bool:
    """Whether CPUs were asked for, or several processes were started where no GPU is."""
    several = 'LOCAL_RANK' in os.environ and not torch.cuda.is_available()
    return several or _flag('ACCELERATE_USE_CPU')


def _lost_processes() -> bool:
    """Whether `accelerate launch --cpu` was asked for several processes: it starts one."""
    ranks = ('WORLD_SIZE', 'PMI_SIZE', 'OMPI_COMM_WORLD_SIZE', 'MV2_COMM_WORLD_SIZE')
    several = 'MASTER_ADDR' in os.environ and not any(name in os.environ for name in ranks)
    return several and _flag('ACCELERATE_USE_CPU')


def _flag(name: str) -> bool:
    return os.environ.get(name, '').lower() in ('1', 'true', 'yes')
