# SPDX-License-Identifier: Apache-2.0
"""Low-rank changes of attention weights (Hu et al. 2022), merged into them at the end.

W becomes W + B A / rank * scale with B at zero, so that training begins with the network as it
is; only A and B learn. The optimiser then needs memory for a percent of the weights.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from vidplan_core.errors import ConfigError

# Of the change: with Hu et al.'s alpha = 2 rank.
SCALE = 2.0
ATTENTION = ('to_q', 'to_k', 'to_v', 'to_out.0')


class LowRank(nn.Module):
    """A weight (rows, columns) with a change of low rank."""

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        rows, columns = weight.shape
        self.down = nn.Parameter(torch.empty(rank, columns).to(weight))
        self.up = nn.Parameter(torch.zeros(rows, rank).to(weight))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5.0))

    def forward(self, weight: Tensor) -> Tensor:
        """The changed weight."""
        return weight + SCALE * self.up @ self.down


def add_lora(network: nn.Module, rank: int) -> None:
    """Freeze a network but for low-rank changes of its attention.

    Raises:
        ConfigError: it has no attention that is known.
    """
    network.requires_grad_(False)
    layers = [
        module
        for name, module in network.named_modules()
        if name.endswith(ATTENTION) and isinstance(module, nn.Linear)
    ]
    if not layers:
        raise ConfigError('this network has no attention to train by lora_rank')
    for layer in layers:
        parametrize.register_parametrization(layer, 'weight', LowRank(layer.weight, rank))


@torch.no_grad()
def merge_lora(network: nn.Module) -> None:
    """Make the changed weights the network's own."""
    for module in list(network.modules()):
        if parametrize.is_parametrized(module, 'weight'):
            parametrize.remove_parametrizations(module, 'weight', leave_parametrized=True)
