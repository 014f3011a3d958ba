# SPDX-License-Identifier: Apache-2.0
"""Pictures are encoded once: what comes of them is what encoding the whole past gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.fakes.tiny import tiny_world_model
from vidplan_core.planner.plans.encoded import EncodedFrames
from vidplan_core.world_model.world_model import WorldModel


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> tuple[WorldModel, list[int]]:
    """A world model, and how many frames each call encoded."""
    model, calls = tiny_world_model(), []
    encode = model.encode

    def counting(images: torch.Tensor) -> torch.Tensor:
        calls.append(images.shape[1])
        return encode(images)

    monkeypatch.setattr(model, 'encode', counting)
    return model, calls


def pictures(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (96, 64, 3), dtype=np.uint8) for _ in range(count)]


def test_a_past_that_moves_on_costs_one_frame(counted: tuple[WorldModel, list[int]]) -> None:
    model, calls = counted
    seen, encoded = pictures(5), EncodedFrames(model)
    for present in range(2, 5):
        past = [seen[0], *seen[present - 2 : present + 1]]  # the first frame stays
        whole = tiny_world_model().encode(torch.from_numpy(np.stack(past))[None])
        torch.testing.assert_close(encoded.latents(past), whole, atol=1e-5, rtol=1e-5)
    assert calls == [3, 1, 1]


def test_equal_pictures_of_other_moments_are_other_pictures(
    counted: tuple[WorldModel, list[int]],
) -> None:
    model, calls = counted
    (image,), encoded = pictures(1), EncodedFrames(model)
    first = encoded.latents([image, image])
    again = encoded.latents([image.copy(), image])
    assert torch.equal(first[:, 0], again[:, 1])
    assert calls == [1, 1]


def test_only_the_latest_are_kept(counted: tuple[WorldModel, list[int]]) -> None:
    model, calls = counted
    seen, encoded = pictures(4), EncodedFrames(model, most=2)
    for image in seen:
        encoded.latents([image])
    encoded.latents([seen[3], seen[2]])
    encoded.latents([seen[0]])
    assert calls == [1, 1, 1, 1, 1]
