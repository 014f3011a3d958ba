# SPDX-License-Identifier: Apache-2.0
"""What the evaluation of the world model computes, on numbers that are known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import straight_chunk, tiny_world_model

from vidplan_training.cameras import layout
from vidplan_training.evaluate import Table, graft


def pictures(error: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Predicted, actual and present views (4, 3, 3, 32, 64); the prediction is off by `error`."""
    actual = torch.full((4, 3, 3, 32, 64), 0.5)
    return actual + error, actual, torch.zeros(3, 3, 32, 64)


@pytest.fixture
def table() -> Table:
    """Four clips of two episodes: `good` is off by 0.01, `bad` by 0.1."""
    table = Table(tiny_world_model())
    for _ in range(4):
        table.add('good', *pictures(0.01))
        table.add('bad', *pictures(0.1))
    return table


def test_psnr_and_margins(table: Table) -> None:
    summary = table.summary('good')
    assert summary['psnr_db'] == pytest.approx(40.0, abs=1e-2)
    assert summary['per_frame'] == pytest.approx([40.0] * 4, abs=1e-2)
    assert set(summary['per_view']) == {'left', 'right', 'wrist'}
    assert summary['moving_psnr_db'] == pytest.approx(40.0, abs=1e-2)
    for margin in (table.margin('good', 'bad'), table.pooled_margin('good', 'bad', view=2)):
        assert margin['db'] == pytest.approx(20.0, abs=1e-2)
        assert margin['interval_95'] == pytest.approx([20.0, 20.0], abs=1e-2)


def test_pooling_lets_still_clips_weigh_less(table: Table) -> None:
    for _ in range(2):  # an episode that hardly moves: copying is nearly perfect
        table.add('good', *pictures(0.01))
        table.add('bad', *pictures(0.0001))
    assert table.margin('good', 'bad')['db'] == pytest.approx(0.0, abs=0.1)
    assert table.pooled_margin('good', 'bad')['db'] > 15


def test_another_clips_motion_begins_at_this_ones_present() -> None:
    chunk = straight_chunk(torch.tensor([[0.1, 0.0, 0.0]]))
    other = straight_chunk(torch.tensor([[0.0, 0.2, 0.0]]))
    moved = type(other)(other.position + 0.05, other.rotation, other.closedness)
    grafted = graft(chunk, moved)
    torch.testing.assert_close(grafted.position[:, 0], chunk.position[:, 0])
    torch.testing.assert_close(
        grafted.position.diff(dim=1), other.position.diff(dim=1), atol=1e-6, rtol=0
    )
    torch.testing.assert_close(grafted.rotation, chunk.rotation)


def test_the_shipped_camera_layout_is_the_cells(repository: Path) -> None:
    shipped = json.loads((repository / 'models/cell/cameras.json').read_text())
    for view, camera in layout().items():
        assert shipped[view]['mount'] == camera['mount']
        for name in ('position', 'rotation', 'focal'):
            np.testing.assert_allclose(shipped[view][name], camera[name], atol=1e-6)


def test_a_missing_model_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from vidplan_training.cli import main

    arguments = ['evaluate', 'world-model', '--data', str(tmp_path), '--models', str(tmp_path)]
    assert main(arguments) == 2
    assert 'config.json is missing' in capsys.readouterr().err
