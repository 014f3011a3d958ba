# SPDX-License-Identifier: Apache-2.0
"""The closings that were foreseen worst: before, imagined after the lift, and true."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from vidplan_core.world_model.world_model import WorldModel
from vidplan_training.collect.contact.closings import ClosingCase
from vidplan_training.recipes.contact.held import foresee


def draw_worst(model: WorldModel, cases: Sequence[ClosingCase], path: Path) -> None:
    """One row per case: views before, imagined after, true after, and what was foreseen."""
    rows = []
    for case in cases:
        found = foresee(model, case)
        imagined = model.decode(found.latents[None])[0, 0].permute(0, 2, 3, 1).numpy()
        parts = [case.past[-1].images, (255 * imagined).astype(np.uint8), case.after]
        row = np.concatenate([np.concatenate(list(part), 1) for part in parts], 1)
        text = f'{case.kind} {100 * case.off_m:.1f} cm off: p(held) {found.held:.2f}, ' + (
            'lifted' if case.lifted else 'not lifted'
        )
        rows.append(np.concatenate([_caption(text, row.shape[1]), row]))
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.concatenate(rows)[..., ::-1])


def _caption(text: str, width: int) -> np.ndarray:
    line = np.full((18, width, 3), 255, np.uint8)
    cv2.putText(line, text, (4, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    return line
