# SPDX-License-Identifier: Apache-2.0
"""A cloth in views: which of them shows all of it, and where its square lies on the table."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from vidplan_core.errors import TargetNotFoundError
from vidplan_core.geometry.camera import Camera
from vidplan_core.language.relevancy import Localisation
from vidplan_core.planner.target.cloth import ClothFinder, ClothSighting
from vidplan_core.planner.target.locating import TargetLocator

PINK = (0.9, 0.4, 0.6)
SIZE = 200
HOME = torch.tensor([[0.4, 0.0, 0.5]]), torch.eye(3)[None]
DOWN = ((0.0, -1.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 0.0, -1.0))


class PinkScorer:
    """Finds what is pink, in patches of 10 pixels."""

    def relevancy(self, images: Tensor, phrase: str) -> Tensor:
        pink = ((images - torch.tensor(PINK)[:, None, None]).abs().sum(1) < 0.1).float()
        return torch.nn.functional.avg_pool2d(pink[:, None], 10)[:, 0]

    def localise(self, relevancy: Tensor) -> Localisation:
        height, width = relevancy.shape[1:]
        ys, xs = torch.meshgrid(torch.arange(height), torch.arange(width), indexing='ij')
        at = torch.stack([(xs + 0.5) / width, (ys + 0.5) / height], -1)
        weight = relevancy[..., None] + 1e-6
        centroid = (weight * at).sum((1, 2)) / weight.sum((1, 2))
        peak = relevancy.amax((1, 2))
        return Localisation(peak, centroid, torch.zeros_like(peak), peak > 0.5)


def camera(x: float, trust_m: float) -> Camera:
    """Looks straight down from a metre above the table: 5 mm a pixel."""
    return Camera('base', (x, 0.0, 1.0), DOWN, (1.0, 1.0), trust_m)


def look(*xs: float, colour: tuple[float, ...] = PINK, yaw: float = 0.4) -> ClothSighting:
    """What cameras over places x see of a cloth at (0.5, 0.1); the later ones are trusted more."""
    cameras = {f'over {x}': camera(x, 0.05 - 0.01 * k) for k, x in enumerate(xs)}
    locator = TargetLocator(PinkScorer(), 0.5, cameras, 0.005)
    images = torch.stack([_picture(x, colour, yaw) for x in xs])[None]
    return ClothFinder(locator).look(images, *HOME, 'towel')


def _picture(x: float, colour: tuple[float, ...], yaw: float) -> Tensor:
    ys, xs = np.mgrid[:SIZE, :SIZE]
    depth = 1.0 - 0.005
    here = np.stack([x - ((ys + 0.5) / SIZE - 0.5) * depth,
                     -((xs + 0.5) / SIZE - 0.5) * depth], -1) - [0.5, 0.1]
    c, s = np.cos(yaw), np.sin(yaw)
    inside = (np.abs(here @ np.array([[c, -s], [s, c]])) < 0.1).all(-1)
    picture = np.where(inside[..., None], np.array(colour), 0.5)
    return torch.from_numpy(picture).permute(2, 0, 1).float()


def test_the_square_is_where_the_cloth_lies() -> None:
    sighting = look(0.5)
    square = sighting.square()
    np.testing.assert_allclose(square.centre, [0.5, 0.1], atol=0.004)
    assert square.side_m == pytest.approx(0.2, abs=0.012)
    assert np.sin(4 * (square.yaw - 0.4)) == pytest.approx(0.0, abs=0.1)
    assert sighting.area_m2 == pytest.approx(0.04, abs=0.006)


def test_a_view_that_cuts_it_off_is_not_asked_though_it_is_trusted_more() -> None:
    sighting = look(0.5, 1.0)
    assert [seen.whole for seen in sighting.views.values()] == [True, False]
    np.testing.assert_allclose(sighting.square().centre, [0.5, 0.1], atol=0.004)


def test_no_square_is_found_where_every_view_cuts_it_off() -> None:
    with pytest.raises(TargetNotFoundError, match='spread it out'):
        look(1.0).square()


def test_a_cloth_that_nobody_sees_is_named() -> None:
    with pytest.raises(TargetNotFoundError, match="no view shows 'towel'"):
        look(0.5, colour=(0.2, 0.4, 0.3))
