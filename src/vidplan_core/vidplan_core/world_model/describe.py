# SPDX-License-Identifier: Apache-2.0
"""Print every tensor of a world model, a line each: `python -m vidplan_core.world_model.describe`.

The full size is printed by the names of the released checkpoints. Nothing is loaded and no weight
takes memory.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence

import torch

from vidplan_core.world_model.autoencoders.config import AutoencoderConfig
from vidplan_core.world_model.backbones.registry import BACKBONES
from vidplan_core.world_model.backbones.unet2d import UNet2DConfig
from vidplan_core.world_model.config import WorldModelConfig
from vidplan_core.world_model.released.import_layout import released
from vidplan_core.world_model.released.presets import ModelSpec, ctrl_world, svd_for_cell

SIZES = ('full', 'cell')


def describe(spec: ModelSpec) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and shape of every tensor of a model, by its released name where it has one."""
    with torch.device('meta'):
        state = spec.build().state_dict()
    svd = spec.world_model.backbone.kind == 'svd'
    for name, value in state.items():
        yield (released(name) if svd else None) or name, tuple(value.shape)


def cell(backbone: str = 'unet2d') -> ModelSpec:
    """The simulated cell's model with either backbone."""
    sizes = svd_for_cell() if backbone == 'svd' else UNet2DConfig()
    channels = AutoencoderConfig().latent_channels
    ones, zeros = (1.0,) * channels, (0.0,) * channels
    config = WorldModelConfig(latent_mean=zeros, latent_std=ones, backbone=sizes)
    return ModelSpec(config, AutoencoderConfig())


def main(argv: Sequence[str] | None = None) -> int:
    """Print names and shapes."""
    parser = argparse.ArgumentParser(prog='describe', description=__doc__)
    parser.add_argument('--size', choices=SIZES, default='full')
    parser.add_argument(
        '--flow-map', action='store_true', help='full: with the embedding of the target time'
    )
    parser.add_argument('--backbone', choices=tuple(BACKBONES), default='unet2d', help='cell only')
    args = parser.parse_args(argv)
    spec = ctrl_world(args.flow_map) if args.size == 'full' else cell(args.backbone)
    for name, shape in describe(spec):
        print(name, list(shape))
    return 0


if __name__ == '__main__':
    sys.exit(main())
