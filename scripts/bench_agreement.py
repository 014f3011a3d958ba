# SPDX-License-Identifier: Apache-2.0
"""Whether a device computes what the CPU computes: a small world model, imagined on both."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from vidplan_core.world_model.sampling.sampler import SamplingConfig
from vidplan_eval.speed.engine import Engine, EngineConfig
from vidplan_eval.speed.engine_model import engine_spec

STEPS = (1, 2)
# What kernels of different libraries may make here: root mean square per spread of the numbers.
TOLERANCE = {'fp32': 1e-4, 'bf16': 5e-2}


@torch.no_grad()
def imagined(size: str, device: str, precision: str, steps: int) -> tuple[Tensor, Tensor]:
    """Latents and pictures of two candidates, on the CPU."""
    torch.manual_seed(0)
    # As its parts begin to train, so that numbers neither vanish nor grow on their way through.
    model = engine_spec(size).build().eval().requires_grad_(False).to(device)
    if precision == 'bf16':
        model.backbone.to(torch.bfloat16)
    engine = Engine(model, EngineConfig(candidates=2))
    latents = engine.imagine(SamplingConfig(steps))
    return latents.float().cpu(), model.decode(latents[:, -1:]).float().cpu()


def distance(a: Tensor, b: Tensor) -> float:
    """Root mean square of a difference, per spread of what is wanted."""
    return float((a - b).square().mean().sqrt() / b.std())


def main(words: Sequence[str] | None = None) -> int:
    """Compare, print and write; 1 where the device does something else."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--device', default='cuda')
    parser.add_argument('--size', choices=('tiny', 'small'), default='small')
    parser.add_argument('--json', type=Path, required=True)
    args = parser.parse_args(words)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    rows, agrees = {}, True
    for steps in STEPS:
        wanted = imagined(args.size, 'cpu', 'fp32', steps)
        for precision, tolerance in TOLERANCE.items():
            found = imagined(args.size, args.device, precision, steps)
            apart = [distance(a, b) for a, b in zip(found, wanted)]
            rows[f'{precision}_{steps}'] = {'latents': apart[0], 'pictures': apart[1]}
            agrees &= max(apart) <= tolerance
            print(f'{precision}, {steps} steps: latents {apart[0]:.2e}, pictures {apart[1]:.2e}')
    args.json.write_text(json.dumps({'relative_difference': rows, 'agrees': agrees}) + '\n')
    return 0 if agrees else 1


if __name__ == '__main__':
    sys.exit(main())
