# SPDX-License-Identifier: Apache-2.0
"""Where an imagination shows what cannot follow from what was seen.

A head that is calibrated on errors says where motion makes the future uncertain; a thing that is
imagined sharply in a place that it never was in need not look uncertain to it. This one has
learned what belongs in an imagination from patches that do not: of other imaginations, and of
things that moved, vanished or appeared by themselves.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from vidplan_core.heads.inputs import HeadInput
from vidplan_core.heads.network import Head, HeadConfig, load_head

FOLDER = 'hallucination'
# Of an imagination's places: so many of the most suspicious ones say how suspicious it is.
WORST = 16
# What is more probable than this is called wrong.
WRONG = 0.5


class HallucinationHead(Head):
    """Probability that a place of a new frame cannot follow from what was seen."""

    def __init__(self, config: HeadConfig) -> None:
        super().__init__(config)
        self.out = nn.Conv2d(config.widths[0], config.patch**2, 1)
        nn.init.zeros_(self.out.weight)

    def forward(self, inputs: HeadInput) -> Tensor:
        """Logits (batch, frames, rows, columns)."""
        # What the network saw before its last evaluation would give away what was painted over.
        features = self.network(replace(inputs, noisy=torch.zeros_like(inputs.noisy)))
        raw = functional.pixel_shuffle(self.out(features.flatten(0, 1)), self.config.patch)
        return raw[:, 0].unflatten(0, features.shape[:2])

    def loss(self, inputs: HeadInput, wrong: Tensor) -> Tensor:
        """Mean cross-entropy of which places are wrong, bool (batch, frames, rows, columns)."""
        return functional.binary_cross_entropy_with_logits(self(inputs).float(), wrong.float())

    def probability(self, inputs: HeadInput) -> Tensor:
        """In [0, 1], (batch, frames, rows, columns)."""
        return self._wide(self.forward, inputs).sigmoid()


def worst_places(probability: Tensor) -> Tensor:
    """How suspicious imaginations are, (batch,): the mean of the `WORST` places of their maps.

    Args:
        probability: (batch, frames, rows, columns).
    """
    places = probability.mean(1).flatten(1)
    return places.topk(min(WORST, places.shape[1]), dim=1).values.mean(1)


def load_hallucination(models: Path, device: str | torch.device = 'cpu') -> HallucinationHead:
    """Hallucination head of a models folder; errors as `load_head`."""
    return load_head(HallucinationHead, models / FOLDER, device)
