# SPDX-License-Identifier: Apache-2.0
"""A small network that says how probably an instruction is fulfilled now.

A value that counts frames to a success has to know the ways there; whether it is reached is a
question about one picture, and is better learnt from many that nearly show it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from vidplan_core.data.action import PoseChunk
from vidplan_core.errors import ModelError
from vidplan_core.geometry.camera import Camera
from vidplan_core.heads.detectors.crop_network import look, require_cameras, require_widths
from vidplan_core.heads.detectors.crops import CropInput
from vidplan_core.heads.detectors.success.inputs import NUMBERS, success_input
from vidplan_core.heads.grounding import InstructionGrounding
from vidplan_core.heads.value import reads_as
from vidplan_core.language.semantic import SemanticScorer
from vidplan_core.models.fields import require_ranges
from vidplan_core.models.io import from_dict, load_weights, read_config, save_weights, to_dict
from vidplan_core.world_model.config import WorldModelConfig

# Of views (1, views, 3, height, width) in [0, 1], an instruction that was looked up in them,
# flange poses (1, frames) and the commanded closedness: the probability that it is fulfilled.
SuccessEstimator = Callable[[Tensor, InstructionGrounding, PoseChunk, float], float]

FOLDER = 'success'
FORGOTTEN = 0.2  # of the features before the last layers, in training


@dataclass(frozen=True)
class SuccessConfig:
    """Sizes of a success detector.

    Attributes:
        views: how many; each is looked at by layers of its own.
        widths: of the three convolutions of a view, each half the size of the one before.
        features: of a view, and of the layers that join them.
        scale, shift: make the probabilities calibrated: sigmoid(scale * logit + shift).
        text_probe: of the scorer that it was trained with.
    """

    views: int = 3
    widths: tuple[int, ...] = (24, 48, 64)
    features: int = 64
    scale: float = 1.0
    shift: float = 0.0
    text_probe: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        require_ranges(
            self, views=(1, 64), widths=(1, 4096), features=(1, 4096), scale=(1e-3, 1e3),
            shift=(-1e3, 1e3),
        )  # fmt: skip
        require_widths(self.widths)

    def check_fits(self, model: WorldModelConfig, scorer: SemanticScorer) -> None:
        """Raise ModelError for models with other views, unknown cameras or another scorer."""
        require_cameras('a success detector', self.views, model)
        if not reads_as(scorer, self.text_probe):
            raise ModelError(
                'the success detector was trained with another semantic scorer; train it again '
                'with `vidplan-train success`'
            )


class SuccessDetector(nn.Module):
    """Probability that an instruction is fulfilled, from `CropInput`."""

    def __init__(self, config: SuccessConfig) -> None:
        super().__init__()
        self.config = config
        self.looks = nn.ModuleList(
            look(config.widths, config.features) for _ in range(config.views)
        )
        width = 2 * config.features
        self.judge = nn.Sequential(
            nn.Linear(config.views * config.features + NUMBERS, width), nn.SiLU(),
            nn.Dropout(FORGOTTEN),
            nn.Linear(width, width), nn.SiLU(),
            nn.Dropout(FORGOTTEN),
            nn.Linear(width, 1),
        )  # fmt: skip

    def forward(self, inputs: CropInput) -> Tensor:
        """Logits (batch,), before they are calibrated."""
        views = inputs.crops.unbind(1)
        seen = [look(view) for look, view in zip(self.looks, views, strict=True)]
        found: Tensor = self.judge(torch.cat([*seen, inputs.numbers], 1))
        return found[:, 0]

    @torch.no_grad()
    def probability(self, inputs: CropInput) -> Tensor:
        """Calibrated, (batch,), in [0, 1]."""
        return torch.sigmoid(self.config.scale * self(inputs) + self.config.shift)

    def seen_by(self, cameras: Sequence[Camera]) -> SuccessEstimator:
        """The same of one scene that cameras show."""

        def estimate(
            views: Tensor, grounding: InstructionGrounding, poses: PoseChunk, commanded: float
        ) -> float:
            closed = poses.closedness.new_tensor([commanded])
            return float(self.probability(
                success_input(cameras, views, grounding, poses, closed)
            ))  # fmt: skip

        return estimate


def save_success(folder: Path, detector: SuccessDetector) -> None:
    """Write `folder`/config.json and weights.safetensors."""
    save_weights(folder, to_dict(detector.config), detector.state_dict())


def load_success(models: Path, device: str | torch.device = 'cpu') -> SuccessDetector:
    """The detector of a models folder, frozen; raises ModelError when missing or corrupt."""
    folder = models / FOLDER
    detector = SuccessDetector(from_dict(SuccessConfig, read_config(folder)))
    load_weights(detector, folder)
    return detector.eval().requires_grad_(False).to(device)
