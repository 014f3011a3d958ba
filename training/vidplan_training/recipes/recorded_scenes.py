# SPDX-License-Identifier: Apache-2.0
"""Recorded scenes as trainings read them: each looked at once, all read with progress."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.geometry.se3 import quaternion_to_matrix
from vidplan_training.collect.scene_files import Recorded
from vidplan_training.engine.progress_log import ProgressLog

Moments = TypeVar('Moments')


def read_each(read: Callable[[int], Moments | None], seeds: Sequence[int]) -> list[Moments]:
    """What is found in the scenes of seeds, without those in which there is nothing."""
    parts, progress = [], ProgressLog('looked at (scenes)', len(seeds))
    for number, seed in enumerate(seeds, 1):
        found = read(seed)
        parts += [] if found is None else [found]
        progress.update(number)
    return parts


def looked_once(scene: Path, look: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """What a look finds in a recorded scene; it is kept beside the scene's file."""
    file = scene.with_suffix('.pt')
    if not file.exists():
        part = file.with_suffix('.part')
        torch.save(look(), part)
        part.replace(file)
    found: dict[str, Tensor] = torch.load(file, weights_only=True)
    return found


def poses_of(recorded: Recorded) -> PoseChunk:
    """Flange poses (moments, 1) of a recorded scene."""
    rotation = quaternion_to_matrix(torch.from_numpy(recorded['quaternion']))
    return PoseChunk(
        torch.from_numpy(recorded['position'])[:, None], rotation[:, None],
        torch.from_numpy(recorded['closedness'])[:, None],
    )  # fmt: skip
