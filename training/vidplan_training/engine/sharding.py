# SPDX-License-Identifier: Apache-2.0
"""Weights, gradients and optimiser spread over processes (FSDP, Zhao et al. 2023).

Every process keeps its part of each weight; a unit of the network is gathered when it is needed
and forgotten again. By PyTorch's `fully_shard`, which leaves modules what they are, so that
recipes and checkpoints know nothing of it: a run may go on with another number of processes,
sharded or not.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from vidplan_core.errors import ConfigError
from vidplan_core.world_model.backbones.interface import Backbone

# Parameters below which a part is not gathered by itself: messages cost more than they spare.
LEAST_UNIT = 4_000_000


def units(backbone: nn.Module, least: int | None = None) -> list[nn.Module]:
    """Parts that are gathered one at a time, inner ones first, the whole last.

    They are entries of the network's lists: those are called, whatever holds the lists may not.
    """
    least = LEAST_UNIT if least is None else least
    lists = [part for part in backbone.modules() if isinstance(part, nn.ModuleList)]
    entries = [entry for part in lists for entry in part if _size(entry) >= least]
    return [*reversed(entries), backbone]


def shard(module: nn.Module, count: int, device: torch.device) -> None:
    """Spread the backbone that a module trains over all processes.

    Raises:
        ConfigError: it trains none, or low-rank changes of one.
    """
    found = [part for part in module.modules() if isinstance(part, Backbone)]
    trained = [part for part in found if any(p.requires_grad for p in part.parameters())]
    if not trained:
        raise ConfigError('trainer.shard is for what trains a world model; set it to false')
    if any(nn.utils.parametrize.is_parametrized(part) for part in trained[0].modules()):
        raise ConfigError('trainer.shard spreads all weights: set lora_rank=0, or do not shard')
    # It warns of views that are changed in place; diffusers' blocks change none.
    warnings.filterwarnings('ignore', 'FSDP2-wrapped module')
    mesh = init_device_mesh(device.type, (count,))
    for part in units(trained[0]):
        # The whole, too, so that outside of passes every weight is a part of itself.
        fully_shard(part, mesh=mesh, reshard_after_forward=True)


def gathered(tree: Any, keep: bool) -> Any:
    """The same nest of mappings with whole tensors, on the CPU; None for those not to `keep`.

    Every process has to ask for it, because each has a part.
    """
    if isinstance(tree, DTensor):
        whole = tree.full_tensor()
        return whole.cpu() if keep else None
    if isinstance(tree, dict):
        return {name: gathered(value, keep) for name, value in tree.items()}
    return tree


def spread_like(value: Tensor, parameter: Tensor) -> Tensor:
    """A whole tensor spread as a parameter of its shape is; others stay as they are."""
    if not isinstance(parameter, DTensor) or value.shape != parameter.shape:
        return value
    there = value.to(parameter.device)
    return distribute_tensor(there, parameter.device_mesh, parameter.placements)


def spread_optimizer(state: dict[str, Any], parameters: Sequence[Tensor]) -> dict[str, Any]:
    """An optimiser's whole state, spread as its parameters are."""
    own = {
        index: {name: spread_like(value, parameters[index]) for name, value in one.items()}
        for index, one in state['state'].items()
    }
    return {**state, 'state': own}


@torch.no_grad()
def clip_gradients(parameters: Sequence[nn.Parameter], largest: float) -> Tensor:
    """Scale all gradients, sharded ones and others, to a largest norm; returns what it was."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    norms = [gradient.norm() for gradient in gradients]
    whole = [n.full_tensor() if isinstance(n, DTensor) else n for n in norms]
    norm = torch.stack(whole).norm() if whole else torch.zeros(())
    factor = largest / (float(norm) + 1e-6)  # as `clip_grad_norm_` has it
    if factor < 1.0:
        for gradient in gradients:
            gradient.mul_(factor)
    return norm


@torch.no_grad()
def make_whole(module: nn.Module) -> None:
    """Give a sharded module whole weights again, to be saved; it is not trained any more."""
    for part in module.modules():
        for name, parameter in list(part.named_parameters(recurse=False)):
            if isinstance(parameter, DTensor):
                whole = nn.Parameter(parameter.full_tensor(), requires_grad=False)
                setattr(part, name, whole)


def whole_parameters(module: nn.Module) -> Iterator[nn.Parameter]:
    """Parameters of which every process has all, so that their gradients are to be averaged."""
    return (p for p in module.parameters() if not isinstance(p, DTensor))


def largest_unit(backbone: nn.Module, least: int | None = None) -> int:
    """Parameters of the largest part that is gathered at once."""
    return max(_own_sizes(backbone, least))


def _own_sizes(backbone: nn.Module, least: int | None) -> Iterator[int]:
    """Of each unit, without what inner units hold."""
    taken: set[nn.Parameter] = set()
    for part in units(backbone, least):
        own = set(part.parameters()) - taken
        taken |= own
        yield sum(p.numel() for p in own)


def _size(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())
