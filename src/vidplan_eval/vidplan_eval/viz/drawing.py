# SPDX-License-Identifier: Apache-2.0
"""Small drawing steps that videos and pictures share: tiles, text, heat maps, paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]

INK: Colour = (235, 238, 242)
MUTED: Colour = (150, 158, 170)
PAPER: Colour = (22, 25, 31)
TILE: Colour = (36, 41, 50)
GRID: Colour = (48, 54, 65)
CHOSEN: Colour = (255, 176, 32)
TRAIL: Colour = (96, 190, 255)
GOOD: Colour = (72, 199, 116)
BAD: Colour = (239, 83, 80)

# Black over red and orange to white; perceived lightness rises all the way.
_HEAT = np.array(
    [(0, 0, 4), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164)], np.float32
)
NEUTRAL_RELEVANCY = 0.5
# A peak this far above the rest of the map is drawn in full strength.
LEAST_CONTRAST = 0.2


@lru_cache(maxsize=8)
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return Pillow's built-in font in pixels, so that no font file is needed."""
    return ImageFont.load_default(size)


def canvas(width: int, height: int, colour: Colour = PAPER) -> Image.Image:
    """Return an empty RGB picture."""
    return Image.new('RGB', (width, height), colour)


def text(
    picture: Image.Image,
    position: tuple[float, float],
    words: str,
    *,
    size: int = 14,
    colour: Colour = INK,
    anchor: str = 'la',
) -> None:
    """Write one line; `anchor` as in Pillow ('la' left-ascender, 'mm' middle ...)."""
    ImageDraw.Draw(picture).text(position, words, fill=colour, font=font(size), anchor=anchor)


def fit(words: str, width: int, size: int) -> str:
    """Return `words`, shortened with an ellipsis where they are wider than `width` pixels."""
    if font(size).getlength(words) <= width:
        return words
    while words and font(size).getlength(words + '...') > width:
        words = words[:-1]
    return words.rstrip() + '...'


def tile(image: np.ndarray, width: int, height: int) -> Image.Image:
    """Return an RGB uint8 image (H, W, 3) resized to width x height."""
    picture = Image.fromarray(np.ascontiguousarray(image))
    return picture.resize((width, height), Image.Resampling.BICUBIC)


def empty_tile(width: int, height: int, words: str) -> Image.Image:
    """Return a tile that says why nothing is shown."""
    picture = canvas(width, height, TILE)
    text(picture, (width / 2, height / 2), words, colour=MUTED, anchor='mm')
    return picture


def heat_colours(values: np.ndarray) -> np.ndarray:
    """Map (h, w) in [0, 1] to float RGB (h, w, 3) in 0..255."""
    position = np.clip(values, 0.0, 1.0) * (len(_HEAT) - 1)
    low = np.minimum(position.astype(int), len(_HEAT) - 2)
    share = (position - low)[..., None]
    return _HEAT[low] * (1 - share) + _HEAT[low + 1] * share


def overlay_relevancy(image: np.ndarray, relevancy: np.ndarray) -> np.ndarray:
    """Lay what is more relevant than the rest of the view over the darkened view.

    The rest is the map's median: some scorers put it at 0.5, others near 0. A map whose peak
    hardly stands out stays dark, however it is scaled.

    Args:
        image: uint8 (H, W, 3).
        relevancy: (h, w) in [0, 1], 0.5 neutral.

    Returns:
        uint8 (H, W, 3).
    """
    height, width = image.shape[:2]
    rest = float(np.median(relevancy))
    full = max(float(relevancy.max()), NEUTRAL_RELEVANCY, rest + LEAST_CONTRAST)
    above = np.clip((relevancy - rest) / (full - rest), 0.0, 1.0)
    resized = Image.fromarray(above.astype(np.float32)).resize(
        (width, height), Image.Resampling.BILINEAR
    )
    strength = np.asarray(resized)
    alpha = (0.25 + 0.6 * strength)[..., None]
    blended = image * (1 - alpha) + heat_colours(strength) * alpha
    return blended.clip(0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Plane:
    """A window onto two coordinates of the base frame.

    Attributes:
        across: Index of the coordinate that grows to the right.
        up: Index of the coordinate that grows upwards.
        low: Smallest shown values of (across, up) [m].
        high: Largest shown values of (across, up) [m].
        flip: Whether `across` grows to the left instead (a robot's y seen from behind it).
    """

    across: int
    up: int
    low: tuple[float, float]
    high: tuple[float, float]
    flip: bool = False

    def pixels(self, points: np.ndarray, size: tuple[int, int]) -> list[tuple[float, float]]:
        """Project base-frame points (K, 3) into a picture of `size`, to one scale, centred."""
        low, high = np.array(self.low), np.array(self.high)
        scale = float(np.min(size / (high - low)))
        offset = np.asarray(points)[:, [self.across, self.up]] - (low + high) / 2
        sign = -1 if self.flip else 1
        return [
            (size[0] / 2 + sign * scale * across, size[1] / 2 - scale * up)
            for across, up in offset
        ]

    def draw_grid(self, picture: Image.Image, step_m: float = 0.1) -> None:
        """Draw faint lines at every multiple of `step_m`."""
        pen = ImageDraw.Draw(picture)
        for axis in (self.across, self.up):
            for value in np.arange(-1.0, 1.5, step_m):
                point = np.zeros((1, 3))
                point[0, axis] = value
                x, y = self.pixels(point, picture.size)[0]
                across = axis == self.across
                ends = (x, 0, x, picture.height) if across else (0, y, picture.width, y)
                pen.line(ends, fill=GRID)


def draw_path(
    picture: Image.Image,
    points: Sequence[tuple[float, float]],
    colour: Colour,
    *,
    width: int = 2,
    dots: bool = False,
) -> None:
    """Draw a polyline, with a dot at each point if asked."""
    pen = ImageDraw.Draw(picture)
    if len(points) > 1:
        pen.line(list(points), fill=colour, width=width, joint='curve')
    for x, y in points if dots else points[-1:]:
        radius = width + 1
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
