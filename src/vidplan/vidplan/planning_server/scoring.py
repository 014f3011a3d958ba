# SPDX-License-Identifier: Apache-2.0
"""The semantic scorer on picture files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, UnidentifiedImageError
from torch.nn import functional as F

from vidplan_core.errors import ObservationError
from vidplan_core.language.semantic import SemanticScorer
from vidplan_eval.viz import drawing


@dataclass(frozen=True)
class FoundPicture:
    """A picture and where a phrase is in it.

    Attributes:
        path: of the picture.
        image: uint8 (H, W, 3).
        relevancy: (rows, columns) in [0, 1].
        peak: highest relevancy.
        centroid: x, y in [0, 1] from the top left corner.
        found: whether the peak reaches the scorer's threshold.
    """

    path: Path
    image: np.ndarray
    relevancy: np.ndarray
    peak: float
    centroid: tuple[float, float]
    found: bool


@torch.no_grad()
def score_pictures(
    scorer: SemanticScorer, paths: Sequence[Path], phrase: str
) -> Iterator[FoundPicture]:
    """Find a phrase in one picture file after the other.

    A picture of another size is stretched to the scorer's, as the graph stretches cameras.

    Raises:
        ObservationError: a file is no picture.
        InstructionError: the phrase is empty.
    """
    for path in paths:
        image = read_picture(path)
        pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255.0
        if pixels.shape[-2:] != scorer.image_size:
            pixels = F.interpolate(pixels, scorer.image_size, mode='bilinear', antialias=True)
        maps = scorer.relevancy(pixels.to(scorer.device), phrase)
        place = scorer.localise(maps)
        x, y = place.centroid[0].tolist()
        yield FoundPicture(
            path, image, maps[0].cpu().numpy(), float(place.peak[0]), (x, y), bool(place.found[0])
        )


def read_picture(path: Path) -> np.ndarray:
    """Return a picture file as RGB uint8 (H, W, 3); raises ObservationError."""
    try:
        with Image.open(path) as picture:
            return np.array(picture.convert('RGB'))
    except FileNotFoundError as error:
        raise ObservationError(f'{path} is missing') from error
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError) as error:
        raise ObservationError(f'{path} is no readable picture: {error}') from error


def overlay_picture(found: FoundPicture, width: int = 640) -> Image.Image:
    """The picture under its relevancy, with a ring around the centroid where it is found."""
    height = round(width * found.image.shape[0] / found.image.shape[1])
    coloured = drawing.overlay_relevancy(found.image, found.relevancy)
    picture = drawing.tile(coloured, width, height)
    if found.found:
        x, y = found.centroid[0] * width, found.centroid[1] * height
        ring = (x - 14, y - 14, x + 14, y + 14)
        ImageDraw.Draw(picture).ellipse(ring, outline=drawing.TRAIL, width=3)
    return picture
