# SPDX-License-Identifier: Apache-2.0
"""A policy on disk."""

from __future__ import annotations

from pathlib import Path

import torch

from vidplan_core.errors import ModelError
from vidplan_core.heads.policy.network import ChunkPolicy, PolicyConfig
from vidplan_core.heads.value import reads_as
from vidplan_core.language.semantic import SemanticScorer
from vidplan_core.models.io import from_dict, load_weights, read_config, save_weights, to_dict
from vidplan_core.world_model.config import WorldModelConfig

FOLDER = 'policy'
# Of a models folder: what reads words only, and what is given where things are.
BASES = ('words', 'grounded')


def save_policy(folder: Path, policy: ChunkPolicy) -> None:
    """Write `folder`/config.json and weights.safetensors."""
    save_weights(folder, to_dict(policy.config), policy.state_dict())


def load_policy(folder: Path, device: str | torch.device = 'cpu') -> ChunkPolicy:
    """The policy of a folder, frozen; raises ModelError when missing, corrupt or unfit."""
    policy = ChunkPolicy(from_dict(PolicyConfig, read_config(folder)))
    load_weights(policy, folder)
    return policy.eval().requires_grad_(False).to(device)


def check_policy(
    policy: ChunkPolicy, world_model: WorldModelConfig, channels: int, scorer: SemanticScorer
) -> None:
    """Raise ModelError when a policy was made for another world model or scorer."""
    config = policy.config
    mine = (config.channels, config.rows, config.columns, config.views)
    wanted = (channels, world_model.latent_height, world_model.latent_width,
              len(world_model.views))  # fmt: skip
    if mine != wanted:
        raise ModelError(
            f'a policy for (channels, rows, columns, views) = {mine} does not fit latents of '
            f'{wanted}; train it with `vidplan-train policy`'
        )
    if not reads_as(scorer, config.text_probe):
        raise ModelError(
            'the policy was trained with another semantic scorer; train it again with '
            '`vidplan-train policy`'
        )
