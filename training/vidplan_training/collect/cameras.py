# SPDX-License-Identifier: Apache-2.0
"""Write the cell's nominal camera layout for the planner; a robot's owner writes their own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidplan_core.knobs import knob
from vidplan_training.settings.knobs import Settings

# Typical error of a place found by each camera, m: the scene cameras are jittered and far away.
TRUST_M = {'left': 0.035, 'right': 0.035, 'wrist': 0.02}
OPTICAL = np.diag([1.0, -1.0, -1.0])  # from MuJoCo's camera axes to REP-103 optical ones


@dataclass(frozen=True, kw_only=True)
class CamerasSettings(Settings):
    """Write the cell's nominal camera layout."""

    out: Path = knob(Path('outputs/cameras.json'), 'file to write')


def layout() -> dict[str, dict[str, object]]:
    """Camera layout by view, as vidplan_core.geometry.camera reads it."""
    from vidplan_sim.render.cameras import DEFAULT_SIZE, VIEWS, intrinsics, nominal_pose

    height, width = DEFAULT_SIZE
    views: dict[str, dict[str, object]] = {}
    for view in VIEWS:
        position, rotation = nominal_pose(view)
        lens = intrinsics(view, height, width)
        views[view] = {
            'mount': 'flange' if view == 'wrist' else 'base',
            'position': np.round(position, 6).tolist(),
            'rotation': np.round(rotation @ OPTICAL, 8).tolist(),
            'focal': [round(lens[0, 0] / width, 6), round(lens[1, 1] / height, 6)],
            'trust_m': TRUST_M[view],
        }
    return views


def run(settings: CamerasSettings) -> int:
    """Write the layout."""
    settings.out.parent.mkdir(parents=True, exist_ok=True)
    settings.out.write_text(json.dumps(layout(), indent=1) + '\n')
    return 0
