# SPDX-License-Identifier: Apache-2.0
"""A folder of recorded scenes and tiny models that know their cameras, to train a detector on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.fakes.tiny import save_models, tiny_config, tiny_world_model
from vidplan_core.geometry.camera import load_cameras
from vidplan_core.world_model.world_model import WorldModel
from vidplan_training.collect.scene_files import Recorded, SceneFiles
from vidplan_training.engine.config import TrainerConfig

CAMERAS = Path(__file__).resolve().parents[3] / 'models' / 'cell' / 'cameras.json'
SCENES = 10


def detector_settings(files: SceneFiles, recorded: Recorded, first: int) -> dict[str, Any]:
    """Settings of a tiny training; one scene under several seeds, the first of them empty."""
    config, folder = tiny_config(), files.folder.parent
    cameras = tuple(load_cameras(CAMERAS, config.views).values())
    model = WorldModel(replace(config, cameras=cameras), tiny_world_model().autoencoder)
    save_models(folder / 'models', model.eval())
    files.folder.mkdir()
    for seed in range(first, first + SCENES):
        files.write(seed, {} if seed == first else recorded)
    return {
        'data': files.folder, 'scenes': SCENES, 'first': first, 'workers': 1,
        'models': folder / 'models', 'work': folder / 'run.pt', 'batch': 4, 'features': 8,
        'device': 'cpu', 'trainer': TrainerConfig(2, 1e-3, save_every=1, warmup=1),
    }  # fmt: skip
