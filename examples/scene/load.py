# SPDX-License-Identifier: Apache-2.0
"""The scene that the examples look at: two moments of three cameras, and the arm's state."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from vidplan_core.data.observation import Observation
from vidplan_core.geometry.camera_files import default_layout

HERE = Path(__file__).resolve().parent
MODELS = HERE.parents[1] / 'models' / 'cell'


def load_observations() -> list[Observation]:
    """Return both looks, oldest first."""
    rows = json.loads((HERE / 'frames.json').read_text())
    return [
        Observation(image=np.array(Image.open(HERE / f'frame_{number}.png')), **row)
        for number, row in enumerate(rows)
    ]


def views_of(seen: Observation) -> dict[str, np.ndarray]:
    """Return the pictures of one look by the names of their views, uint8 (height, width, 3)."""
    return default_layout().split(seen.image)
