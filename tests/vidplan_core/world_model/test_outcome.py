# SPDX-License-Identifier: Apache-2.0
"""The readout of an imagination: shapes, feeding back, folders with and without it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.fakes.tiny import CHANNELS, save_models, straight_chunk, tiny_world_model
from vidplan_core.world_model.checkpoint import load_world_model
from vidplan_core.world_model.context import Context
from vidplan_core.world_model.outcome import OutcomeConfig, OutcomeReadout
from vidplan_core.world_model.sampling.sampler import MEAN
from vidplan_core.world_model.world_model import Imagination, WorldModel


@pytest.fixture
def model() -> WorldModel:
    found = tiny_world_model()
    torch.manual_seed(1)
    sizes = OutcomeConfig(CHANNELS, 12, 8, widths=(16, 16, 16), embedding=16, pools=2)
    found.outcome = OutcomeReadout(sizes).requires_grad_(False)
    return found


def imagined(model: WorldModel) -> Imagination:
    chunk = straight_chunk(torch.tensor([[0.0, 0.0, -0.1], [0.1, 0.0, 0.0]]))
    past = straight_chunk(torch.zeros(2, 3), 2)
    context = Context(torch.randn(2, 2, CHANNELS, 12, 8), past)
    return model.imagine(context, chunk, MEAN)


def test_every_new_frame_says_what_it_comes_to(model: WorldModel) -> None:
    found = imagined(model)
    assert found.outcome is not None
    assert found.outcome.numbers.shape == (2, 4, 3)
    assert ((found.outcome.numbers >= 0) & (found.outcome.numbers <= 1)).all()


def test_what_is_fed_back_was_measured_and_no_longer_commanded(model: WorldModel) -> None:
    found = imagined(model)
    assert found.outcome is not None
    fed = found.measured
    torch.testing.assert_close(fed.closedness[:, 1:], found.outcome.closedness)
    torch.testing.assert_close(fed.closedness[:, 0], found.chunk.closedness[:, 0])
    assert fed.position is found.chunk.position


def test_a_folder_keeps_the_readout_beside_the_backbone(model: WorldModel, tmp_path: Path) -> None:
    save_models(tmp_path, model)
    again = load_world_model(tmp_path)
    assert again.outcome is not None
    assert model.outcome is not None
    for name, value in model.outcome.state_dict().items():
        torch.testing.assert_close(
            again.outcome.state_dict()[name], value, atol=2e-3, rtol=2e-3
        )


def test_a_folder_without_one_imagines_as_before(tmp_path: Path) -> None:
    save_models(tmp_path, tiny_world_model())
    found = imagined(load_world_model(tmp_path))
    assert found.outcome is None
    assert found.measured is found.chunk
