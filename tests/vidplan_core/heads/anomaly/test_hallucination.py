# SPDX-License-Identifier: Apache-2.0
"""Places of an imagination that cannot follow from what was seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from vidplan_core.heads.anomaly.hallucination import (
    FOLDER,
    WORST,
    HallucinationHead,
    load_hallucination,
    worst_places,
)
from vidplan_core.heads.inputs import HeadInput
from vidplan_core.heads.network import HeadConfig, save_head

CHANNELS, FRAMES, ROWS, COLUMNS, FEATURES = 3, 2, 12, 8, 5
CONFIG = HeadConfig(CHANNELS, FRAMES, FEATURES, ROWS, COLUMNS, widths=(8, 16, 16), embedding=16)


@pytest.fixture
def head() -> HallucinationHead:
    torch.manual_seed(0)
    made = HallucinationHead(CONFIG)
    torch.nn.init.normal_(made.out.weight)
    return made


def inputs(batch: int = 2) -> HeadInput:
    generator = torch.Generator().manual_seed(1)

    def noise(*shape: int) -> torch.Tensor:
        return torch.randn(batch, *shape, generator=generator)

    latents = (FRAMES, CHANNELS, ROWS, COLUMNS)
    return HeadInput(
        noise(*latents), noise(*latents), noise(*latents[1:]), noise(FRAMES, FEATURES),
        torch.ones(batch), torch.zeros(batch),
    )  # fmt: skip


def test_every_place_of_every_new_frame_has_a_probability(head: HallucinationHead) -> None:
    found = head.probability(inputs())
    assert found.shape == (2, FRAMES, ROWS, COLUMNS)
    assert bool(((found > 0) & (found < 1)).all())


def test_what_the_network_saw_while_imagining_gives_nothing_away(head: HallucinationHead) -> None:
    given = inputs()
    other = replace(given, noisy=given.noisy + 1.0)
    torch.testing.assert_close(head.probability(other), head.probability(given))


def test_it_learns_to_find_a_patch_that_is_not_of_its_picture() -> None:
    torch.manual_seed(0)
    head, given = HallucinationHead(CONFIG), inputs(4)
    predicted = given.present[:, None].expand_as(given.predicted).clone()
    wrong = torch.zeros(4, FRAMES, ROWS, COLUMNS, dtype=torch.bool)
    for row in range(2):
        wrong[row, :, 2 + 2 * row : 6 + 2 * row, 2:6] = True
    predicted = torch.where(wrong[:, :, None], predicted + 2.0, predicted)
    edited = replace(given, predicted=predicted)
    optimiser = torch.optim.Adam(head.parameters(), 1e-2)
    for _ in range(60):
        optimiser.zero_grad()
        head.loss(edited, wrong).backward()
        optimiser.step()
    found = head.probability(edited).detach()
    assert float(found[wrong].mean()) > 0.6 > 0.2 > float(found[~wrong].mean())
    suspicion = worst_places(found)
    assert bool((suspicion[:2] > suspicion[2:].max()).all())


def test_the_worst_places_say_how_suspicious_an_imagination_is() -> None:
    places = torch.zeros(1, FRAMES, ROWS, COLUMNS)
    places[:, :, 0, :4] = 0.8
    assert float(worst_places(places)[0]) == pytest.approx(0.8 * 4 / WORST)


def test_it_survives_its_file(head: HallucinationHead, tmp_path: Path) -> None:
    save_head(tmp_path / FOLDER, head)
    again = load_hallucination(tmp_path)
    found, before = again.probability(inputs()), head.probability(inputs())
    torch.testing.assert_close(found, before, atol=5e-3, rtol=5e-3)  # half precision on disk
