# SPDX-License-Identifier: Apache-2.0
"""Still pictures of imagined futures, for pages and model cards."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from vidplan_eval.viz import drawing
from vidplan_eval.viz.imagination import split_views

LABEL_WIDTH, LABEL_HEIGHT, GAP = 92, 26, 4


def rollout_picture(
    real: np.ndarray,
    imagined: np.ndarray,
    *,
    views: Sequence[str],
    frame_period_s: float = 0.2,
    executed: int | None = None,
    title: str = '',
    tile_height: int = 120,
) -> Image.Image:
    """Show what happened above what was imagined, view by view, one column per frame.

    Args:
        real: uint8 (F, views * H, W, 3); frame 0 is the present.
        imagined: the same shape.
        views: names of the views, top to bottom.
        frame_period_s: time between frames [s].
        executed: frames after which another motion was executed, which the picture says;
            all of them were if None.
        title: a line above; none if empty.
        tile_height: of one view in the picture [px].

    Raises:
        ValueError: shapes that differ or do not hold that many views.
    """
    if real.shape != imagined.shape or real.ndim != 4 or real.shape[1] % len(views):
        raise ValueError(
            f'need two (frames, views * height, width, 3) arrays for {len(views)} views,'
            f' got {real.shape} and {imagined.shape}'
        )
    frames, stacked, width = real.shape[:3]
    size = (round(tile_height * width * len(views) / stacked), tile_height)
    top = LABEL_HEIGHT * (2 if title else 1)
    picture = drawing.canvas(
        LABEL_WIDTH + frames * (size[0] + GAP), top + 2 * len(views) * (tile_height + GAP)
    )
    if title:
        drawing.text(picture, (GAP, LABEL_HEIGHT / 2), title, size=16, anchor='lm')
    for frame in range(frames):
        left = LABEL_WIDTH + frame * (size[0] + GAP)
        words = 'start' if frame == 0 else f'+{frame * frame_period_s:.1f} s'
        if executed is not None and frame > executed:
            words += ' (replaced)'
        at = (left + size[0] / 2, top - LABEL_HEIGHT / 2)
        drawing.text(picture, at, words, size=14, colour=drawing.MUTED, anchor='mm')
        _paste_column(picture, (left, top), real[frame], imagined[frame], len(views), size)
    _label_rows(picture, top, views, tile_height)
    return picture


def strip_picture(
    strips: Mapping[str, np.ndarray], *, title: str = '', tile_height: int = 220
) -> Image.Image:
    """Show strips of stitched frames under each other, named, one column per frame.

    Args:
        strips: by name, uint8 (F, views * H, W, 3), all of one shape.
        title: a line above.
        tile_height: of one stitched frame in the picture [px].

    Raises:
        ValueError: no strip, or shapes that differ.
    """
    shapes = {frames.shape for frames in strips.values()}
    if len(shapes) != 1:
        raise ValueError(f'strips must have one shape, got {sorted(shapes)}')
    frames, height, width = shapes.pop()[:3]
    size = (round(tile_height * width / height), tile_height)
    row_height = LABEL_HEIGHT + tile_height + GAP
    across = frames * (size[0] + GAP) + GAP
    picture = drawing.canvas(across, LABEL_HEIGHT + len(strips) * row_height)
    drawing.text(picture, (GAP, LABEL_HEIGHT / 2), title, size=16, anchor='lm')
    for row, (name, images) in enumerate(strips.items()):
        top = LABEL_HEIGHT + row * row_height
        drawing.text(picture, (GAP, top + LABEL_HEIGHT / 2), name, size=14, anchor='lm')
        for column, image in enumerate(images):
            at = (GAP + column * (size[0] + GAP), top + LABEL_HEIGHT)
            picture.paste(drawing.tile(image, *size), at)
    return picture


def png_bytes(picture: Image.Image) -> bytes:
    """Encode a picture as PNG."""
    buffer = io.BytesIO()
    picture.save(buffer, 'PNG', optimize=True)
    return buffer.getvalue()


def save_png(picture: Image.Image, path: Path | str) -> Path:
    """Write a picture as PNG, creating its folder, and return the path."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png_bytes(picture))
    return path


def _paste_column(
    picture: Image.Image,
    at: tuple[int, int],
    real: np.ndarray,
    imagined: np.ndarray,
    views: int,
    size: tuple[int, int],
) -> None:
    pairs = zip(split_views(real, views), split_views(imagined, views), strict=True)
    for row, image in enumerate(image for pair in pairs for image in pair):
        picture.paste(drawing.tile(image, *size), (at[0], at[1] + row * (size[1] + GAP)))


def _label_rows(picture: Image.Image, top: int, views: Sequence[str], tile_height: int) -> None:
    for row in range(2 * len(views)):
        middle = top + row * (tile_height + GAP) + tile_height / 2
        words = 'imagined' if row % 2 else 'real'
        colour = drawing.CHOSEN if row % 2 else drawing.INK
        drawing.text(
            picture, (GAP, middle - 9), views[row // 2], colour=drawing.MUTED, anchor='lm'
        )
        drawing.text(picture, (GAP, middle + 9), words, colour=colour, anchor='lm')
