# SPDX-License-Identifier: Apache-2.0
"""Mark in every view where the cameras' places say that the tool is.

python examples/06_check_cameras.py [--cameras cameras.json] [--bag BAG --map robot.yaml]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from scene.load import MODELS, load_observations, views_of

from vidplan_core.data.observation import Observation
from vidplan_core.geometry.camera import Camera, load_cameras
from vidplan_core.geometry.camera_files import default_layout
from vidplan_core.geometry.fk import flange_pose, tcp_position
from vidplan_eval.bags.observations import BagSource, read_observations
from vidplan_eval.bags.rosbag import Bag
from vidplan_eval.bags.sensor_map import read_sensor_map

SHOWN, SCALE = 6, 2  # looks of a bag, evenly spread; of the pictures


def looks(bag: Path | None, names: Path | None) -> Iterable[Observation]:
    """Return observations of a bag, or of the examples' scene."""
    if bag is None:
        return load_observations()
    source = BagSource(read_sensor_map(names) if names else None)
    with Bag(bag) as opened:
        seen = read_observations(opened, default_layout(), 1.0, source)
    return seen[:: -(-len(seen) // SHOWN)]


def marked(seen: Observation, cameras: dict[str, Camera]) -> np.ndarray:
    """Return the views of one look below each other, the tool marked in each."""
    position, rotation = flange_pose(torch.from_numpy(seen.q))
    tool = tcp_position(position, rotation)
    tiles = []
    for name, image in views_of(seen).items():
        x, y = cameras[name].project(tool, position, rotation).tolist()
        print(f'{name:>6}: the tool is at x {x:.2f}, y {y:.2f}')
        tile = Image.fromarray(image).resize((SCALE * image.shape[1], SCALE * image.shape[0]))
        right, down = x * tile.width, y * tile.height
        ring = (right - 6, down - 6, right + 6, down + 6)
        ImageDraw.Draw(tile).ellipse(ring, outline='magenta', width=2)
        tiles.append(np.asarray(tile))
    return np.concatenate(tiles)


def main() -> None:
    """Print the places, write cameras.png."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--cameras', type=Path, default=MODELS / 'cameras.json')
    parser.add_argument('--bag', type=Path)
    parser.add_argument('--map', type=Path)
    args = parser.parse_args()
    cameras = load_cameras(args.cameras, default_layout().views)
    sheet = np.concatenate([marked(seen, cameras) for seen in looks(args.bag, args.map)], axis=1)
    Image.fromarray(sheet).save('cameras.png')
    print('wrote cameras.png')


if __name__ == '__main__':
    main()
