# SPDX-License-Identifier: Apache-2.0
"""Calibration of what is foreseen of closings."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from vidplan_core.errors import ModelError
from vidplan_core.models.io import read_config
from vidplan_core.world_model.outcome import OutcomeConfig, OutcomeReadout
from vidplan_training.recipes.contact import held

TINY = OutcomeConfig(widths=(8, 8, 8), embedding=8, pools=1)


@pytest.fixture
def closings(monkeypatch: pytest.MonkeyPatch) -> OutcomeReadout:
    """A world model that says 0.5 at most where nine of ten are lifted or missed."""
    readout = OutcomeReadout(TINY)
    rng = np.random.default_rng(0)
    sure = rng.random(200) < 0.5
    lifted = np.where(rng.random(200) < 0.9, sure, ~sure)
    cases = [SimpleNamespace(lifted=up, sure=of) for up, of in zip(lifted, sure, strict=True)]
    monkeypatch.setattr(held, 'load_world_model', lambda _: SimpleNamespace(outcome=readout))
    monkeypatch.setattr(held, 'closing_cases', lambda *_: iter(cases))
    monkeypatch.setattr(held, 'foresee', foresee)
    return readout


def foresee(_: Any, case: Any) -> Any:
    return SimpleNamespace(logit=0.5 if case.sure else -0.5)


def test_the_readout_is_written_with_a_scale_that_comes_true(
    closings: OutcomeReadout, tmp_path: Path
) -> None:
    assert held.run(held.HeldRecipe(closings=200, out=tmp_path)) == 0
    config = OutcomeConfig(**{k: v for k, v in read_config(tmp_path).items() if 'held' in k})
    calibrated = OutcomeReadout(config).held_probability(torch.tensor([0.5, -0.5]))
    assert calibrated.tolist() == pytest.approx([0.9, 0.1], abs=0.06)


def test_a_readout_that_is_not_calibrated_says_its_own_probability() -> None:
    logits = torch.tensor([-1.0, 0.0, 2.0])
    torch.testing.assert_close(OutcomeReadout(TINY).held_probability(logits), logits.sigmoid())


def test_a_world_model_without_a_readout_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, 'load_world_model', lambda _: SimpleNamespace(outcome=None))
    with pytest.raises(ModelError, match='does not read outcomes'):
        held.run(held.HeldRecipe())
