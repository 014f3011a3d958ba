# SPDX-License-Identifier: Apache-2.0
"""Whether a device computes what the CPU computes: a small world model, imagined on both."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch

from vidplan_core.world_model.sampling.sampler import SamplingConfig
from vidplan_eval.speed.engine import Engine, EngineConfig
from vidplan_eval.speed.engine_model import random_model

# Largest difference that float32 kernels of different libraries make here, relative.
TOLERANCE = {'fp32': 1e-3, 'bf16': 5e-2}


@torch.no_grad()
def imagined(device: str, precision: str, steps: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Latents and pictures of two candidates, on the CPU."""
    model = random_model('small', torch.device('cpu'), torch.float32)
    model.fast = False
    model.to(device)
    if precision == 'bf16':
        model.backbone.to(torch.bfloat16)
    engine = Engine(model, EngineConfig(candidates=2))
    latents = engine.imagine(SamplingConfig(steps))
    return latents.float().cpu(), model.decode(latents[:, -1:]).float().cpu()


def main() -> int:
    """Compare, print and write; 1 where the device does something else."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--device', default='cuda')
    parser.add_argument('--json', type=Path, required=True)
    args = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    rows, agrees = {}, True
    for steps in (1, 2):
        wanted = imagined('cpu', 'fp32', steps)
        for precision, tolerance in TOLERANCE.items():
            found = imagined(args.device, precision, steps)
            apart = [float((a - b).abs().max() / b.abs().max()) for a, b in zip(found, wanted)]
            rows[f'{precision}_{steps}'] = {'latents': apart[0], 'pictures': apart[1]}
            agrees &= max(apart) <= tolerance
            print(f'{precision}, {steps} steps: latents {apart[0]:.2e}, pictures {apart[1]:.2e}')
    args.json.write_text(json.dumps({'relative_difference': rows, 'agrees': agrees}) + '\n')
    return 0 if agrees else 1


if __name__ == '__main__':
    sys.exit(main())
