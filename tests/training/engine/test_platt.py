# SPDX-License-Identifier: Apache-2.0
"""Probabilities that come true as often as they say."""

from __future__ import annotations

import pytest
import torch

from vidplan_training.engine.platt import LEAST_SCALE, platt


@pytest.mark.parametrize(('scale', 'shift'), [(0.4, 0.3), (2.5, -1.0)])
def test_scale_and_shift_of_logits_are_found(scale: float, shift: float) -> None:
    generator = torch.Generator().manual_seed(3)
    logits = 2.0 * torch.randn(20_000, generator=generator)
    true = torch.rand(20_000, generator=generator) < (scale * logits + shift).sigmoid()
    found = platt(logits, true.float())
    assert found == pytest.approx((scale, shift), rel=0.1, abs=0.06)


def test_samples_that_are_separable_do_not_make_it_endless() -> None:
    logits = torch.tensor([-1.0, -0.5, 0.5, 1.0])
    scale, shift = platt(logits, (logits > 0).float())
    assert scale <= 1.0 / LEAST_SCALE
    assert abs(shift) < 5.0
