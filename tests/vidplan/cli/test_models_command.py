# SPDX-License-Identifier: Apache-2.0
"""`vidplan models import` on a shrunken checkpoint of the released layout."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from tests.fakes.tiny import tiny_ctrl_world
from vidplan.cli.main import main
from vidplan_core.world_model.released.import_layout import released


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A checkpoint and the json of its size."""
    torch.manual_seed(0)
    spec = tiny_ctrl_world()
    state = {str(released(name)): value for name, value in spec.build().state_dict().items()}
    state['image_encoder.visual_projection.weight'] = torch.zeros(4, 4)
    torch.save(state, tmp_path / 'checkpoint.pt')
    (tmp_path / 'size.json').write_text(json.dumps(asdict(spec)))
    return tmp_path / 'checkpoint.pt', tmp_path / 'size.json'


def test_import_tells_what_it_found_and_converts(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    checkpoint, size = files
    out = tmp_path / 'models'
    words = ['models', 'import', str(checkpoint), '--spec', str(size), '--out', str(out)]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert 'checkpoint.pt: Ctrl-World' in said
    assert 'image_encoder' in said
    assert 'not used' in said
    assert f'{out}: loads; backbone svd' in said
    assert f'planning also needs {out / "cameras.json"}' in said
    assert sorted(path.name for path in out.iterdir()) == [
        'autoencoder', 'text_encoder', 'world_model',
    ]  # fmt: skip
    assert main(['models', 'import', str(out)]) == 0
    assert 'float32' in capsys.readouterr().out


def test_a_wrong_checkpoint_ends_in_a_named_error(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    checkpoint, size = files
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    assert main(['models', 'import', str(checkpoint), '--spec', str(size)]) == 2
    assert 'INVALID_MODEL' in capsys.readouterr().err
    assert main(['models', 'import', str(tmp_path / 'nothing.pt')]) == 2
    assert 'nothing.pt does not exist' in capsys.readouterr().err
