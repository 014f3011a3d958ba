# SPDX-License-Identifier: Apache-2.0
"""A scorer's text tower and dense relevancy, small and known."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import torch
from torch import Tensor

from vidplan_core.language.relevancy import Centring, Localisation, localise, strongest_region

TEXT = 5
CENTRING = Centring(floor=0.1)


class TinyScorer:
    """A phrase is as long as it is; the map of a phrase is brightness, scaled by its length."""

    config = SimpleNamespace(threshold=0.4)
    dim = 3

    def localise(self, relevancy: Tensor) -> Localisation:
        return localise(relevancy, self.config.threshold, CENTRING)

    def region(self, relevancy: Tensor) -> Tensor:
        return strongest_region(relevancy, CENTRING)

    @staticmethod
    def load(folder: Path) -> TinyScorer:
        return TinyScorer()

    def encode_text(self, phrases: list[str]) -> Tensor:
        return torch.stack([torch.linspace(-1, 1, TEXT) * len(phrase) for phrase in phrases])

    def dense(self, images: Tensor) -> Tensor:
        return torch.nn.functional.avg_pool2d(images, 16)

    def dense_views(self, views: Tensor) -> Tensor:
        return self.dense(views.flatten(0, 1)).unflatten(0, views.shape[:2])

    def compare(self, dense: Tensor, phrases: list[str]) -> Tensor:
        bright = dense.mean(1)
        return torch.stack([torch.sigmoid(len(phrase) * bright) for phrase in phrases], dim=1)
