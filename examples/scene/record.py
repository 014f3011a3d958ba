# SPDX-License-Identifier: Apache-2.0
"""How the pictures of this folder were made: `python examples/scene/record.py`, from seed 700123.

Needs the simulated cell (vidplan_sim); the examples themselves need vidplan_core only.
"""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

from vidplan_core.geometry.camera_files import default_layout
from vidplan_eval.world import World
from vidplan_sim.cell import Cell
from vidplan_sim.scene import random_scene

SEED = 700_123


def main() -> None:
    """Look twice, a model frame apart, and write what was seen."""
    world = World(Cell(), default_layout(), period_s=0.2)
    world.reset(random_scene(SEED))
    here = Path(__file__).parent
    rows = []
    for number, seen in enumerate(world.look(2)):
        Image.fromarray(seen.image).save(here / f'frame_{number}.png')
        rows.append(
            {
                'stamp_s': seen.stamp_s,
                'q': seen.q.tolist(),
                'dq': seen.dq.tolist(),
                'closedness': seen.closedness,
                'position': seen.position.tolist(),
                'quaternion': seen.quaternion.tolist(),
            }
        )
    (here / 'frames.json').write_text(json.dumps(rows, indent=1) + '\n')
    print(sorted(world.cell.truth()))


if __name__ == '__main__':
    main()
