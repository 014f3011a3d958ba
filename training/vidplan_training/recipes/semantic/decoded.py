# SPDX-License-Identifier: Apache-2.0
"""The segmented views once more, as the world model imagines them: what the planner scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.geometry.se3 import quaternion_to_matrix
from vidplan_core.world_model.checkpoint import load_world_model
from vidplan_core.world_model.world_model import WorldModel
from vidplan_training.data.dataset import Shard, batches_of, shards
from vidplan_training.engine.progress_log import ProgressLog
from vidplan_training.recipes.semantic.data import RECONSTRUCTIONS

BATCH = 16


def decode_shards(data: Path, models: Path, out: Path) -> None:
    """Write `out`/shard_*/reconstructions.npy for every shard that lacks it.

    A segmented frame is imagined from one to four frames before it, with the poses that were
    really taken; the first frame of an episode is only encoded and decoded.
    """
    found = [shard for shard in shards(data) if not _path(out, shard).is_file()]
    if not found:
        return
    model = load_world_model(models)
    progress = ProgressLog('decode (shards)', len(found))
    for done, shard in enumerate(found, 1):
        path = _path(out, shard)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, decode_shard(model, shard))
        progress.update(done)


@torch.no_grad()
def decode_shard(model: WorldModel, shard: Shard) -> np.ndarray:
    """Return the views, uint8 (episodes, segmented frames, views, height, width, 3)."""
    frames = np.asarray(shard.meta['segmentation_frames'])
    rng = np.random.default_rng(shard.meta['seeds'][0])
    asked = np.stack(np.meshgrid(np.arange(shard.episodes), frames, indexing='ij'), axis=-1)
    asked = asked.reshape(-1, 2)
    ahead = np.minimum(rng.integers(1, model.config.frames, len(asked)), asked[:, 1])
    parts = [
        _imagine(model, shard, asked[rows, 0], asked[rows, 1], ahead[rows]).float()
        for rows in batches_of(np.arange(len(asked)), BATCH)
    ]
    views = torch.cat(parts).permute(0, 1, 3, 4, 2)
    pixels = (views * 255.0).round().to(torch.uint8).numpy()
    return pixels.reshape(shard.episodes, len(frames), *pixels.shape[1:])


def _imagine(
    model: WorldModel, shard: Shard, episode: np.ndarray, frame: np.ndarray, ahead: np.ndarray
) -> Tensor:
    """Return frame `frame` of each episode, seen from `ahead` frames before it, in [0, 1]."""
    history, horizon = model.config.history_frames, model.config.frames
    last = shard.array('images').shape[1] - 1
    offsets = np.arange(1 - history, horizon)
    times = np.clip((frame - ahead)[:, None] + offsets, 0, last)
    images = np.asarray(shard.array('images')[episode[:, None], times[:, :history]])
    stitched = torch.from_numpy(images).flatten(2, 3)
    poses = PoseChunk(
        torch.from_numpy(shard.array('position')[episode[:, None], times]),
        quaternion_to_matrix(torch.from_numpy(shard.array('quaternion')[episode[:, None], times])),
        torch.from_numpy(shard.array('closedness')[episode[:, None], times]),
    )
    context = model.context(stitched, poses.part(slice(None, history)))
    latents = model.rollout(context, poses.part(slice(history - 1, None)), seed=int(frame[0]))
    latents[:, 0] = context.latents[:, -1].to(latents.dtype)
    chosen = latents[torch.arange(len(episode)), torch.from_numpy(ahead)]
    return model.decode(chosen[:, None])[:, 0]


def _path(out: Path, shard: Shard) -> Path:
    return out / shard.folder.name / f'{RECONSTRUCTIONS}.npy'
