# SPDX-License-Identifier: Apache-2.0
"""Where the views show a cloth that lies flat: which of the table it covers, and its square.

The relevancy map of its name says what its colour is; the pixels of that colour near its middle,
followed down to the table, are the cloth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vidplan_core.errors import TargetNotFoundError
from vidplan_core.planner.target.locating import Sighting, TargetLocator
from vidplan_core.planner.target.memory import TargetMemory
from vidplan_core.planner.target.outline import Square, alike, area_m2, smallest_square

SURFACE_M = 0.005  # of the cloth above the table
AROUND_M = 0.19  # from its middle that its pixels may lie
UNEVEN_M = 0.03  # between the extents of a square
CUT = 0.01  # share of pixels at the border of a view from which on it does not show all of it


@dataclass(frozen=True)
class Covered:
    """What one view shows of a cloth.

    Attributes:
        places: (N, 2) on the table, base frame, m, of its pixels.
        whole: whether the view shows all of it.
        trust_m: typical error of the view's places.
    """

    places: np.ndarray
    whole: bool
    trust_m: float


@dataclass(frozen=True)
class ClothSighting:
    """A cloth in all views, by their names."""

    views: Mapping[str, Covered]

    @property
    def area_m2(self) -> float:
        """Area of the table that any view shows it on, m^2."""
        return area_m2(np.concatenate([seen.places for seen in self.views.values()]))

    def square(self) -> Square:
        """Its square, from the most trusted view that shows one.

        Raises:
            TargetNotFoundError: no view shows all of a square.
        """
        for seen in sorted(self.views.values(), key=lambda seen: seen.trust_m):
            try:
                found = smallest_square(seen.places)
            except ValueError:
                continue
            if seen.whole and found.uneven_m < UNEVEN_M:
                return found
        raise TargetNotFoundError(
            'no view shows all of a square cloth; spread it out, and take away what hides it'
        )


@dataclass(frozen=True)
class ClothFinder:
    """Finds a cloth by its name with a planning system's locator."""

    locator: TargetLocator

    @torch.no_grad()
    def look(
        self, images: Tensor, position: Tensor, rotation: Tensor, phrase: str
    ) -> ClothSighting:
        """Find it in views (1, views, 3, height, width) in [0, 1] from a flange pose (1, ...).

        Raises:
            TargetNotFoundError: no view shows it.
        """
        sighting = self.locator.look(images, position, rotation, phrase)
        return self.of(sighting, images, position, rotation, phrase)

    @torch.no_grad()
    def of(
        self, sighting: Sighting, images: Tensor, position: Tensor, rotation: Tensor, phrase: str
    ) -> ClothSighting:
        """The same where it was looked for already."""
        memory = TargetMemory()
        memory.update(sighting, self.locator.trust_m)
        if memory.place is None:
            raise TargetNotFoundError(
                f"no view shows '{phrase}': the best relevancy is "
                f'{float(sighting.peaks.max()):.2f}, needed {self.locator.threshold:.2f}'
            )
        middle, found = memory.place[:2].cpu().numpy(), {}
        for number, (view, camera) in enumerate(self.locator.cameras.items()):
            picture = images[0, number].permute(1, 2, 0).cpu().numpy()
            at = _centres(alike(picture, sighting.maps[0, number].cpu().numpy()))
            pixels = torch.from_numpy(at).to(position)
            on_table = camera.on_plane(pixels, position, rotation, SURFACE_M).cpu().numpy()[:, :2]
            near = np.linalg.norm(on_table - middle, axis=1) < AROUND_M
            whole = _share_at_border(at[near], picture.shape) < CUT
            found[view] = Covered(on_table[near], whole, camera.trust_m)
        return ClothSighting(found)


def _centres(mask: np.ndarray) -> np.ndarray:
    """Centres (N, 2), x and y in [0, 1], of the pixels of a mask (height, width)."""
    ys, xs = np.nonzero(mask)
    return np.stack([(xs + 0.5) / mask.shape[1], (ys + 0.5) / mask.shape[0]], axis=1)


def _share_at_border(at: np.ndarray, shape: tuple[int, ...]) -> float:
    """Share of pixels (N, 2) that are the last of a picture (height, width, ...)."""
    last = 1.0 / np.array([shape[1], shape[0]])
    return float(((at < last) | (at > 1.0 - last)).any(axis=1).mean()) if len(at) else 0.0
