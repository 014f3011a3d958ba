# SPDX-License-Identifier: Apache-2.0
"""The real planning system with a world model of random weights and a scorer that sees red."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import torch
from torch import Tensor

from tests.fakes.tiny import tiny_world_model
from vidplan_core.geometry.camera import load_cameras
from vidplan_core.heads.bundle import Heads
from vidplan_core.language.relevancy import Centring, Localisation, localise, strongest_region
from vidplan_core.planner.config import PlannerConfig
from vidplan_core.planner.system import PlanningSystem

CAMERAS = Path(__file__).resolve().parents[2] / 'models' / 'cell' / 'cameras.json'


class RedScorer:
    """Relevancy of a patch is how much redder than green and blue it is, whatever the phrase."""

    def __init__(self, threshold: float) -> None:
        self.config = SimpleNamespace(threshold=threshold)

    def relevancy(self, images: Tensor, phrase: str) -> Tensor:
        patches = torch.nn.functional.avg_pool2d(images, 8)
        redness = patches[:, 0] - 0.5 * (patches[:, 1] + patches[:, 2])
        return 0.5 + 0.5 * redness.clamp(0.0, 1.0)

    def localise(self, relevancy: Tensor) -> Localisation:
        return localise(relevancy, self.config.threshold, Centring())

    def region(self, relevancy: Tensor) -> Tensor:
        return strongest_region(relevancy, Centring())


def tiny_system(
    threshold: float = 0.55,
    heads: Heads | None = None,
    config: PlannerConfig | None = None,
    **changes,
) -> PlanningSystem:
    """The system of a whole configuration, or of the usual one with changes."""
    model = tiny_world_model()
    cameras = load_cameras(CAMERAS, model.config.views)
    chosen = config or PlannerConfig(**{'refine_iterations': 1, **changes})
    return PlanningSystem(model, RedScorer(threshold), cameras, chosen, torch.device('cpu'), heads)
