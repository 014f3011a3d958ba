# SPDX-License-Identifier: Apache-2.0
"""Memory is counted as a computation would take it, without doing it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from tests.fakes.tiny import tiny_ctrl_world
from vidplan_core.world_model.world_model import WorldModel
from vidplan_training.cli import main
from vidplan_training.data.latents import Clips
from vidplan_training.engine.live_memory import LiveMemory
from vidplan_training.recipes.world_model import memory

KB = 1024


@pytest.mark.parametrize('fake', [False, True])
def test_what_lives_at_once_is_counted(fake: bool) -> None:
    """Views take nothing, what is let go is given back; backward needs what forward kept."""
    with FakeTensorMode(allow_non_fake_inputs=True) if fake else torch.no_grad():
        with LiveMemory() as counted:
            first = torch.zeros(KB, dtype=torch.uint8)
            again = first.view(2, -1)[0]
            second = first + 1
            assert counted.now == 2 * KB
            del first, again, second
            third = torch.zeros(KB, dtype=torch.uint8)
        assert (counted.now, counted.peak) == (KB, 2 * KB)
        del third
        assert counted.now == 0


def test_a_table_by_gpus(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                         monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    """The loss stands in for a pass through the network, which takes long to count."""
    def loss(model: WorldModel, clips: Clips, *_: object) -> torch.Tensor:
        return model.backbone.action_encoder(torch.zeros(len(clips.latents), 11, 7)).sum()

    monkeypatch.setattr(memory, 'engine_spec', lambda _: tiny_ctrl_world(True))
    monkeypatch.setattr(memory, 'loss_of', loss)
    out = tmp_path / 'memory.json'
    words = f'memory --training flow-map --size tiny --gpus 1 4 --clips 3 --json {out}'
    assert main(words.split()) == 0
    found = json.loads(out.read_text())
    counts, rows = found['counts'], found['bytes_per_gpu']
    size = sum(p.numel() for p in tiny_ctrl_world(True).build().backbone.parameters())
    assert (counts['weights'], counts['trained']) == (size, size)
    assert counts['kept'] > 3 * 11 * 32 * 4  # a layer of tokens
    assert [(row['gpus'], row['sharded']) for row in rows] == [(1, False), (4, False), (4, True)]
    assert rows[0] == rows[1] | {'gpus': 1}
    parts = ('weights', 'gradients', 'optimiser', 'average')
    assert sum(rows[0][name] for name in parts) == 20 * size
    assert sum(rows[2][name] for name in parts) == 5 * size
    assert rows[2]['teacher'] == rows[0]['teacher'] == 4 * size
    assert len(capsys.readouterr().out.splitlines()) >= 4


def test_low_rank_changes_spare_gradients_and_are_not_spread() -> None:
    settings = memory.MemorySettings(gpus=(2,), lora_rank=4, average=False)
    counts = memory.Counts(weights=1000, trained=10, unit=100, kept=7, again=3)
    (row,) = memory.per_gpu(counts, settings, 2)
    assert (row['total'], row['total_again']) == (4000 + 120 + 7, 4000 + 120 + 3)
