# SPDX-License-Identifier: Apache-2.0
"""Demonstrations of folds: what is written down of each frame, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from vidplan_core.errors import ConfigError
from vidplan_sim.arm.kinematics import UnreachablePose
from vidplan_sim.objects import cloth
from vidplan_training.collect import collect
from vidplan_training.collect.collect import CollectSettings
from vidplan_training.collect.fold import FOLD_PHASES, FoldRecorder


@pytest.fixture(scope='module')
def recorder() -> FoldRecorder:
    return FoldRecorder()


def test_a_frame_tells_what_is_seen_true_and_advised(recorder: FoldRecorder) -> None:
    found = recorder.record(7, frames=3)
    assert found['images'].shape == (3, 3, 96, 160, 3)
    assert found['cloth'].shape == (3, cloth.COUNT, cloth.COUNT, 3)
    assert found['expert'].shape == (3, 5)
    assert {FOLD_PHASES[phase] for phase in found['phase']} == {'approach'}
    # Spread out, two corners that a diagonal fold would lay on each other are a diagonal apart.
    assert found['corner_error'][0] > 0.19
    middle = found['objects'][0, recorder.kinds.index(cloth.NAME)]
    np.testing.assert_allclose(middle, found['cloth'][0].reshape(-1, 3).mean(0), atol=1e-4)


def test_an_episode_is_the_same_for_the_same_seed(recorder: FoldRecorder) -> None:
    first, second = (recorder.record(11, frames=2) for _ in range(2))
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


class FakeRecorder:
    """Can do every scene but the second."""

    def record(self, seed: int, frames: int) -> dict[str, np.ndarray]:
        if seed == 1:
            raise UnreachablePose('too far')
        return {'frame': np.full(frames, seed)}

    def about(self, frames: int) -> dict[str, object]:
        return {'kinds': ['towel']}


def test_a_shard_names_the_seeds_that_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collect, '_recorder', lambda mix, unseen: FakeRecorder())
    collect._record_shard((tmp_path / 'shard_0000', 0, 3, 4, 'fold', ''))
    meta = json.loads((tmp_path / 'shard_0000' / 'meta.json').read_text())
    assert (meta['seeds'], meta['kinds']) == ([0, 2], ['towel'])
    assert np.load(tmp_path / 'shard_0000' / 'frame.npy').tolist() == [[0] * 4, [2] * 4]


@pytest.mark.parametrize(
    ('wrong', 'message'),
    [
        ({'frames': 20}, 'add --frames 48'),
        ({'frames': 48, 'evaluation': True, 'seed': 2_000_000, 'unseen': 'lights'}, 'mix free'),
    ],
)
def test_what_cannot_be_recorded_is_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        CollectSettings(out=Path('out'), mix='fold', **wrong)  # type: ignore[arg-type]
