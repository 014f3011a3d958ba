# SPDX-License-Identifier: Apache-2.0
"""Imagine what three motions would look like, without moving anything.

python examples/02_imagine_a_motion.py [--out outputs/imagined.png]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from PIL import Image
from scene.load import MODELS, load_observations

from vidplan_core.data.action import PoseChunk
from vidplan_core.geometry.se3 import quaternion_to_matrix
from vidplan_core.planner.motion.hermite import hermite_chunk
from vidplan_core.world_model.checkpoint import load_world_model

# Displacements of the hand within the horizon, robot base frame, m.
MOTIONS_M = ((0.10, 0.0, 0.0), (0.0, 0.10, 0.0), (0.0, 0.0, -0.10))


@torch.no_grad()
def main() -> None:
    """Write a picture with a row of imagined frames for every motion."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, default=Path('outputs/imagined.png'))
    args = parser.parse_args()
    model, seen = load_world_model(MODELS), load_observations()

    def row(name: str) -> torch.Tensor:
        return torch.tensor([[getattr(look, name).tolist() for look in seen]])

    closedness = torch.tensor([[look.closedness for look in seen]])
    past = PoseChunk(row('position'), quaternion_to_matrix(row('quaternion')), closedness)
    images = torch.stack([torch.from_numpy(look.image) for look in seen])[None]
    context = model.context(images, past)

    motions = torch.tensor(MOTIONS_M)
    chunk = hermite_chunk(
        past.position[0, -1], past.rotation[0, -1], torch.zeros(3), motions,
        torch.zeros_like(motions), seen[-1].closedness,
        model.config.frames, model.config.frame_period_s,
    )  # fmt: skip
    latents = model.rollout(context, chunk)  # (motions, frames, channels, rows, columns)
    frames = model.decode(latents)  # (motions, frames, views, 3, height, width)
    rows = frames.permute(0, 2, 4, 1, 5, 3).flatten(0, 2).flatten(1, 2)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((rows * 255).byte().numpy()).save(args.out)
    print(f'{args.out}: a block of views for each motion, the present and what would follow')


if __name__ == '__main__':
    main()
