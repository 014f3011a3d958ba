# SPDX-License-Identifier: Apache-2.0
"""A planning system for the nodes: the fake planner, with models that the services can ask."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from tests.fakes.fake_adapter import LAYOUT
from tests.fakes.fake_planner import FRAMES, PERIOD_S, FakePlanningSystem
from vidplan_core.geometry.camera_layout import CameraLayout


@dataclass
class FakeConfig:
    """What nodes and services want to know of a world model."""

    views: tuple[str, ...] = LAYOUT.views
    height: int = LAYOUT.height
    width: int = LAYOUT.width
    history_frames: int = 2
    history_ages: tuple[int, ...] = ()
    frames: int = FRAMES
    frame_period_s: float = PERIOD_S

    @property
    def layout(self) -> CameraLayout:
        """The stitched images that the world model sees."""
        return LAYOUT.resized(self.height, self.width)


class FakeModels:
    """World model and scorer with the methods that the services use."""

    def __init__(self) -> None:
        self.config = FakeConfig()
        self.broken = False

    def context(self, images: torch.Tensor, poses: Any) -> Any:
        assert tuple(images.shape[1:]) == (2, *LAYOUT.shape)
        return poses

    def rollout(self, context: Any, chunk: Any, steps: int, seed: int) -> torch.Tensor:
        value = float('nan') if self.broken else float(steps)
        return torch.full((len(chunk), FRAMES), value)

    def relevancy(self, images: torch.Tensor, phrase: str) -> torch.Tensor:
        return images[:, 0, ::2, ::2]

    def localise(self, maps: torch.Tensor) -> Any:
        return SimpleNamespace(
            peak=maps.amax((1, 2)),
            centroid=torch.full((len(maps), 2), 0.5),
            found=maps.amax((1, 2)) > 0.5,
        )


class ServerSystem(FakePlanningSystem):
    """The fake planning system with models for the services."""

    def __init__(self) -> None:
        # So far ahead that no plan of a busy machine is late.
        super().__init__(lead_s=10.0)
        self.world_model = self.scorer = FakeModels()
        self.device = torch.device('cpu')

    def pictures(self, latents: torch.Tensor) -> np.ndarray:
        return np.full((FRAMES, *LAYOUT.shape), int(latents.mean()), np.uint8)
