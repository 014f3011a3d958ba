# SPDX-License-Identifier: Apache-2.0
"""What a clip of a recorded episode holds, and which moments it may begin at."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.fakes.tiny import tiny_config
from vidplan_training.data.dataset import Shard, shards
from vidplan_training.evaluation.clips import (
    ClipPlace,
    held_out_shards,
    load_poses,
    moment_of,
    places,
)

FRAMES = 12


def record(folder: Path, **meta: object) -> Shard:
    """One episode: rest, a way, a closing of fingers that are commanded a frame before."""
    folder.mkdir(parents=True)
    way = np.zeros((1, FRAMES, 3))
    way[0, 4:8, 0] = 0.02 * np.arange(1, 5)
    way[0, 8:] = way[0, 7]
    closed = np.zeros((1, FRAMES))
    closed[0, 9:] = 0.5
    commanded = np.zeros((1, FRAMES))
    commanded[0, 8:] = 1.0
    arrays = {
        'position': way, 'quaternion': np.tile([1.0, 0, 0, 0], (1, FRAMES, 1)),
        'closedness': closed, 'commanded': commanded,
    }  # fmt: skip
    for name, values in arrays.items():
        np.save(folder / f'{name}.npy', values.astype(np.float32))
    (folder / 'meta.json').write_text(json.dumps({'seeds': [0], **meta}))
    return shards(folder.parent)[-1]


@pytest.mark.parametrize(
    ('present', 'kind'), [(0, 'still'), (4, 'free motion'), (7, 'contact'), (11, 'still')]
)
def test_a_moment_is_what_then_happens(tmp_path: Path, present: int, kind: str) -> None:
    shard = record(tmp_path / 'shard_0')
    assert moment_of(ClipPlace(shard, 0, present, 0), 3) == kind


def test_new_frames_hold_what_is_commanded(tmp_path: Path) -> None:
    place = ClipPlace(record(tmp_path / 'shard_0'), 0, 7, 0)
    index = np.array([6, 7, 8, 9, 10])
    assert load_poses(place, index).closedness.tolist() == [[0.0, 0.0, 1.0, 1.0, 1.0]]
    late = ClipPlace(place.shard, 0, 9, 0)
    assert load_poses(late, index).closedness.tolist() == [[0.0, 0.0, 0.0, 0.5, 1.0]]


def test_contact_episodes_of_evaluation_scenes_are_held_out(tmp_path: Path) -> None:
    record(tmp_path / 'shard_0', scenes=[1_000_000, 1])
    for path in (record(tmp_path / 'shard_0_c', scenes=[1_000_000, 1]).folder).glob('*.npy'):
        np.save(path, np.load(path)[:, :3])  # a closing: too short for clips
    record(tmp_path / 'shard_0_b', scenes=[1_000_000, 1], branches=8)
    record(tmp_path / 'shard_1', scenes=[400_000, 1])
    assert [s.folder.name for s in held_out_shards(tmp_path)] == [
        'shard_0', 'shard_0_b', 'shard_0_c',
    ]  # fmt: skip
    # Branches of one moment are no clips of their own.
    found = places(tmp_path, 9, tiny_config(), seed=0)
    assert {place.shard.folder.name for place in found} == {'shard_0'}
