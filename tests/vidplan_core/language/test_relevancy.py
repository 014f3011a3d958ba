# SPDX-License-Identifier: Apache-2.0
"""Relevancy and localisation on maps drawn by hand."""

from __future__ import annotations

import pytest
import torch

from vidplan_core.language.relevancy import (
    Centring,
    localise,
    relevancy_logits,
    scene_peak,
    strongest_region,
)

AREA = Centring(floor=0.0, power=2.0)


def blob(rows: int, columns: int, x: float, y: float, size: float, height: float) -> torch.Tensor:
    """A Gaussian bump at x, y in [0, 1] of the view, `size` in patches."""
    u = (torch.arange(columns) + 0.5)[None, :] - x * columns
    v = (torch.arange(rows) + 0.5)[:, None] - y * rows
    return height * torch.exp(-(u**2 + v**2) / (2 * size**2))


def test_relevancy_is_the_worst_softmax_over_neutral_phrases() -> None:
    torch.manual_seed(0)
    positive, negatives = torch.rand(4, 5), torch.rand(4, 5, 3)
    pairs = torch.stack((positive[..., None].expand_as(negatives), negatives), dim=-1)
    worst = (10 * pairs).softmax(dim=-1)[..., 0].amin(dim=-1)
    assert torch.allclose(torch.sigmoid(relevancy_logits(positive, negatives, 10.0)), worst)


def test_a_phrase_as_similar_as_the_neutral_one_is_neutral() -> None:
    assert torch.sigmoid(relevancy_logits(torch.ones(1), torch.ones(1, 2), 10.0)) == 0.5


@pytest.mark.parametrize(('x', 'y'), [(0.5, 0.5), (0.3, 0.6), (0.81, 0.25)])
def test_the_centroid_is_the_blob_between_patches(x: float, y: float) -> None:
    place = localise(blob(12, 20, x, y, 1.5, 0.9)[None], 0.5, AREA)
    assert torch.allclose(place.centroid[0], torch.tensor([x, y]), atol=0.004)
    assert place.peak[0] > 0.8
    assert place.found.tolist() == [True]
    assert 0.0 < place.spread[0] < 0.1


def test_a_second_weaker_blob_does_not_pull() -> None:
    one = blob(12, 20, 0.25, 0.5, 1.2, 0.9)
    both = torch.maximum(one, blob(12, 20, 0.8, 0.5, 1.5, 0.8))
    alone, beside = localise(one[None], 0.5, AREA), localise(both[None], 0.5, AREA)
    assert torch.allclose(alone.centroid, beside.centroid, atol=0.004)


def test_the_region_is_connected_and_has_one_ring() -> None:
    relevancy = torch.zeros(1, 5, 9)
    relevancy[0, 2, 1:4] = 0.9
    relevancy[0, 2, 7] = 0.8
    region = strongest_region(relevancy, AREA)[0]
    assert region[1:4, 0:5].min() == 1
    assert region.sum() == 15


def test_nothing_there_is_not_found_and_stays_finite() -> None:
    flat = torch.full((2, 6, 10), 0.2, requires_grad=True)
    place = localise(flat, 0.5, Centring(floor=0.5))
    place.centroid.sum().backward()
    assert place.found.tolist() == [False, False]
    assert torch.isfinite(place.centroid).all()
    assert torch.isfinite(flat.grad).all()


def test_gradient_of_the_centroid_agrees_with_finite_differences() -> None:
    torch.manual_seed(0)
    relevancy = blob(6, 10, 0.42, 0.55, 1.3, 0.9).double()[None] + 0.01 * torch.rand(1, 6, 10)
    relevancy = relevancy.double().requires_grad_()

    def place(maps: torch.Tensor) -> tuple[torch.Tensor, ...]:
        found = localise(maps, 0.5, AREA)
        return found.centroid, found.peak, found.spread

    assert torch.autograd.gradcheck(place, relevancy, eps=1e-6, atol=1e-4)


def test_a_scene_is_judged_by_its_best_view() -> None:
    peaks = torch.tensor([[0.1, 0.9, 0.2], [0.1, 0.2, 0.3]])
    assert torch.equal(scene_peak(peaks), torch.tensor([0.9, 0.3]))
