# SPDX-License-Identifier: Apache-2.0
"""Whether pictures can be what the cameras see now: they move with the arm, and only so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vidplan_core.errors import ObservationError
from vidplan_core.geometry.camera_layout import Image
from vidplan_core.knobs import check_knobs, knob

Array = NDArray[np.float64]
Grey = NDArray[np.float32]

# Pictures are compared by the means of so many areas, width and height: sensor noise averages out.
_AREAS = (40, 24)
# An area that differs by so many of 255 levels has changed; one that differs by fewer than the
# second number everywhere has not: a camera that rises from an empty table sees 5.
_CHANGED, _UNCHANGED = 20.0, 4.0
# A turn of the flange counts as so much way, m/rad: about the length of the hand.
_REACH_M = 0.2
# An arm that moves less than this between two looks stands, m; a hand likewise, of 0 .. 1.
_STANDING_M, _HAND_STANDS = 0.003, 0.02
# A thing that slips out of the hand may fill the view of a camera beside it for a moment: such a
# view is doubted from so many looks in a row on, while arm and hand stand.
_SLIP_LOOKS = 3
# Noise is measured in so many rows and columns at most, evenly spread: those of a small picture.
_NOISE_ROWS, _NOISE_COLUMNS = 96, 160


@dataclass(frozen=True)
class PlausibilityConfig:
    """What pictures must be like to be planned from."""

    max_noise: float = knob(
        6.0,
        'noise of the pixels above which a picture shows nothing reliable, as with a loose cable '
        'or no light',
        unit='of 255 levels',
        low=0.5,
        high=128.0,
    )
    frozen_after_m: float = knob(
        0.015,
        'way of the flange after which a picture that has not changed is frozen; a turn of 1 rad '
        'counts as 0.2 m',
        unit='m',
        low=0.005,
        high=1.0,
    )
    max_change: float = knob(
        0.2,
        'share of a picture that may change from one look to the next; more, and the camera was '
        'moved or swapped, or the light changed; 1 takes every change',
        low=0.05,
        high=1.0,
    )

    def __post_init__(self) -> None:
        check_knobs(self)


@dataclass(frozen=True, eq=False)
class _Look:
    """A view's areas, grey levels, and the flange's place (3,), m, and rotation (3, 3) then.

    `closedness` is that of the hand, 0 open .. 1 closed.
    """

    stamp_s: float
    grey: Grey
    position: Array
    rotation: Array
    closedness: float

    def way_m(self, other: _Look) -> float:
        """Way of the flange between two looks, m; turns count by the length of a hand."""
        turn = np.linalg.norm(self.rotation - other.rotation) / np.sqrt(2)
        return float(np.linalg.norm(self.position - other.position) + _REACH_M * turn)

    def stands(self, other: _Look) -> bool:
        """Whether neither arm nor hand moved between two looks."""
        hand = abs(self.closedness - other.closedness)
        return self.way_m(other) <= _STANDING_M and hand <= _HAND_STANDS


class ViewMonitor:
    """Remembers what the views showed, and says what they cannot show next.

    A view that jumps is compared with its last look before that, so putting a camera back, or
    leaving its sight, is enough; `reset` takes what is seen now for granted. Views that the arm
    carries may change as a whole while arm or hand move, and for a moment when they stand.
    """

    def __init__(
        self, config: PlausibilityConfig | None = None, moving: tuple[str, ...] = ()
    ) -> None:
        """Watch views, of which the arm carries those named `moving`."""
        self.config = config or PlausibilityConfig()
        self._moving = frozenset(moving)
        self.reset()

    def reset(self) -> None:
        """Forget what was seen."""
        self._last: dict[str, _Look] = {}
        self._changed: dict[str, _Look] = {}
        self._jumps: dict[str, int] = {}

    def check(
        self,
        stamp_s: float,
        images: Mapping[str, Image],
        position: Array,
        rotation: Array,
        closedness: float = 0.0,
    ) -> None:
        """Look at pictures of one moment.

        Args:
            stamp_s: of the moment, s.
            images: by view, uint8 (height, width, 3), rgb.
            position: of the flange in the base frame (3,), m.
            rotation: of the flange (3, 3).
            closedness: of the hand, 0 open .. 1 closed; always the same without one.

        Raises:
            ObservationError: names the first view that cannot be believed, and why.
        """
        problems = []
        for view, image in images.items():
            grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
            areas = cv2.resize(grey, _AREAS, interpolation=cv2.INTER_AREA).astype(np.float32)
            look = _Look(stamp_s, areas, np.array(position), np.array(rotation), closedness)
            # All of them are looked at, whatever one shows.
            problems += [self._noise(view, grey), self._frozen(view, look), self._jump(view, look)]
        if found := ' and '.join(filter(None, problems)):
            raise ObservationError(found)

    def _noise(self, view: str, grey: Image) -> str:
        found = noise_level(grey)
        if found <= self.config.max_noise:
            return ''
        return (
            f"view '{view}' is noise: its pixels differ by {found:.1f} levels from their "
            f'neighbours, allowed {self.config.max_noise:.1f}; look at cable and light'
        )

    def _frozen(self, view: str, look: _Look) -> str:
        then = self._changed.get(view)
        new = then is None or look.stamp_s < then.stamp_s
        if then is None or new or _difference(look, then).max() >= _UNCHANGED:
            self._changed[view] = look
            return ''
        way_m = look.way_m(then)
        if way_m <= self.config.frozen_after_m:
            return ''
        return (
            f"view '{view}' is frozen: it has not changed for {look.stamp_s - then.stamp_s:.1f} s "
            f'while the flange moved {1e3 * way_m:.0f} mm; start its driver again'
        )

    def _jump(self, view: str, look: _Look) -> str:
        last, carried = self._last.get(view), view in self._moving
        if last is None or look.stamp_s < last.stamp_s or (carried and not look.stands(last)):
            return self._believe(view, look)
        share = float((_difference(look, last) > _CHANGED).mean())
        if share <= self.config.max_change:
            return self._believe(view, look)
        self._jumps[view] = self._jumps.get(view, 0) + 1
        if carried and self._jumps[view] < _SLIP_LOOKS:
            return ''
        return (
            f"view '{view}' changed in {share:.0%} of its area at once, allowed "
            f'{self.config.max_change:.0%}: was the camera moved or swapped, did the light change, '
            'does somebody stand in front of it?'
        )

    def _believe(self, view: str, look: _Look) -> str:
        """Compare what comes with this look from now on."""
        self._last[view] = look
        self._jumps[view] = 0
        return ''


def noise_level(grey: Image) -> float:
    """Return the standard deviation of the noise of a picture (height, width), 0 .. 255.

    The median of what a filter leaves that takes away planes and straight edges, scaled as for
    normal noise: textures and edges hardly count (Immerkaer, Fast noise variance estimation,
    1996: the second difference along both sides, whose squares sum to 36).
    """
    above, row, below = grey[:-2], grey[1:-1], grey[2:]
    step = -(-len(row) // _NOISE_ROWS)
    rows = [part[::step].astype(np.float32) for part in (above, row, below)]
    down = rows[0] - 2 * rows[1] + rows[2]
    step = -(-(down.shape[1] - 2) // _NOISE_COLUMNS)
    both = down[:, :-2:step] - 2 * down[:, 1:-1:step] + down[:, 2::step]
    return float(1.4826 * np.median(np.abs(both)) / 6)


def _difference(look: _Look, other: _Look) -> Grey:
    """Differences of the areas of two looks, levels."""
    return np.asarray(np.abs(look.grey - other.grey))
