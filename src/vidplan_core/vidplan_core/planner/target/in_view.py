# SPDX-License-Identifier: Apache-2.0
"""What the cameras do see, for who asked for something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vidplan_core.errors import TargetNotFoundError

if TYPE_CHECKING:
    from vidplan_core.planner.target.locating import Sighting, TargetLocator

# What stands on tables. A name that is not listed can be looked for all the same.
EVERYDAY = (
    'carrot', 'fish', 'pea', 'measuring tape', 'towel', 'mug', 'lobster', 'penguin', 'banana',
    'apple', 'soup can', 'lemon', 'eggplant', 'puzzle cube', 'bowl', 'bottle', 'book', 'sponge',
    'scissors', 'spoon',
)  # fmt: skip
MOST_NAMES = 6


@torch.no_grad()
def names_in_view(locator: TargetLocator, images: Tensor) -> list[str]:
    """Return the everyday names that views (1, views, 3, height, width) show, the surest first."""
    peaks = {}
    for name in EVERYDAY:
        maps = locator.scorer.relevancy(images.flatten(0, 1), name)
        peaks[name] = float(locator.scorer.localise(maps).peak.max())
    shown = [name for name, peak in peaks.items() if peak >= locator.threshold]
    return sorted(shown, key=peaks.__getitem__, reverse=True)[:MOST_NAMES]


def instead(locator: TargetLocator, images: Tensor) -> str:
    """Return in words what may be named instead of what views do not show."""
    seen = names_in_view(locator, images)
    return f'in view: {", ".join(seen)}' if seen else 'name an object that the cameras see'


def not_found(
    locator: TargetLocator, sighting: Sighting, images: Tensor, name: str, missed: int = 0
) -> TargetNotFoundError:
    """Return the error of a name that views do not show, now or for `missed` cycles."""
    return TargetNotFoundError(
        f"no view shows '{name}' {f'for {missed} cycles' if missed else 'now'}: the best "
        f'relevancy is {float(sighting.peaks.max()):.2f}, needed {locator.threshold:.2f}; '
        + instead(locator, images)
    )
