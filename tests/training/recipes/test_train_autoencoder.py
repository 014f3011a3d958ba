# SPDX-License-Identifier: Apache-2.0
"""An autoencoder is trained and written; later its decoder alone may learn on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from vidplan_core.world_model.autoencoders.build import load_autoencoder
from vidplan_training.cli import main


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for index in range(2):
        folder = tmp_path / 'data' / f'shard_{index:04d}'
        folder.mkdir(parents=True)
        images = rng.integers(0, 255, (2, 4, 3, 16, 24, 3), dtype=np.uint8)
        np.save(folder / 'images.npy', images)
        (folder / 'meta.json').write_text(json.dumps({'seeds': [2 * index, 2 * index + 1]}))
    return tmp_path / 'data'


def test_a_decoder_learns_on_behind_an_encoder_that_stays(data: Path, tmp_path: Path) -> None:
    command = ['autoencoder', '--preset', 'smoke', '--set', f'data={data}', 'latent_channels=4']
    first, second = tmp_path / 'first', tmp_path / 'second'
    assert main([*command, f'out={first}', f'work={tmp_path}/1.pt']) == 0
    metrics = json.loads((first / 'metrics.json').read_text())
    assert metrics['held_out_psnr_db'].keys() == {'left', 'right', 'wrist'}
    assert 0.0 < metrics['held_out_moved_psnr_db'] < 60.0
    command += ['decoder_only=true', f'out={second}', f'work={tmp_path}/2.pt']
    assert main(command) == 2  # which encoder?
    assert main([*command, f'start={first}']) == 0
    before, after = (load_autoencoder(folder).state_dict() for folder in (first, second))
    same = {name: torch.equal(before[name], after[name]) for name in before}
    assert all(value for name, value in same.items() if name.startswith('encoder'))
    assert not all(value for name, value in same.items() if name.startswith('decoder'))
