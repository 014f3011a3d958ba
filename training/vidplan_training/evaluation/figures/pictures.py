# SPDX-License-Identifier: Apache-2.0
"""Strips of what happened beside what was imagined, small enough for a model card."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

LARGEST_BYTES = 400_000
TITLE_PX, GAP_PX = 16, 2
COLOURS = 256
SHRINK = 0.85


Columns = Mapping[str, Tensor]


def title_of(steps: int) -> str:
    """Title of what was imagined with a number of steps."""
    return '1 step' if steps == 1 else f'{steps} steps'


def strip(present: Tensor, actual: Tensor, imagined: Columns) -> Image.Image:
    """Draw a clip's last frame, a row per view, beside what it was and how it was imagined.

    Args:
        present: (views, 3, height, width) in [0, 1].
        actual: (frames, views, 3, height, width).
        imagined: the same by title.
    """
    last = {title: frames[-1] for title, frames in imagined.items()}
    return grid({'before (copy)': present, 'what happened': actual[-1], **last})


def grid(columns: Columns) -> Image.Image:
    """Lay pictures (views, 3, height, width) out in columns under their titles."""
    views, _, height, width = next(iter(columns.values())).shape
    size = (len(columns) * (width + GAP_PX), TITLE_PX + views * (height + GAP_PX))
    canvas = Image.new('RGB', size, 'white')
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(11)
    for column, (title, pictures) in enumerate(columns.items()):
        left = column * (width + GAP_PX)
        pen.text((left + 2, 1), title, fill='black', font=font)
        for row, picture in enumerate(pixels(pictures)):
            top = TITLE_PX + row * (height + GAP_PX)
            canvas.paste(Image.fromarray(picture), (left, top))
    return canvas


def write_png(picture: Image.Image, path: Path, largest: int = LARGEST_BYTES) -> None:
    """Write a PNG of at most `largest` bytes, with fewer colours or smaller if need be."""
    encoded = _png(picture)
    while len(encoded) > largest:
        encoded = _png(picture.quantize(COLOURS, dither=Image.Dither.NONE))
        size = (round(picture.width * SHRINK), round(picture.height * SHRINK))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded)


def pixels(pictures: Tensor) -> np.ndarray:
    """Bytes (..., height, width, 3) of pictures (..., 3, height, width) in [0, 1]."""
    return np.ascontiguousarray(
        (pictures.movedim(-3, -1).clamp(0.0, 1.0) * 255.0).round().byte().cpu().numpy()
    )


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, 'PNG', optimize=True)
    return buffer.getvalue()
