# SPDX-License-Identifier: Apache-2.0
"""Towers by configuration: what the full-size README names loads, and its maps are right."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from vidplan_core.language.describe import main
from vidplan_core.language.open_clip_model import open_clip_module
from vidplan_core.language.semantic_config import CONFIG_FILE

ROOT = Path(__file__).resolve().parents[3]
FULL = (ROOT / 'models/full/README.md').read_text()


def described(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, str]:
    """What is said of a model, by its first word, of views of 192x320."""
    assert main([*words, '--random-weights']) == 0
    lines = capsys.readouterr().out.splitlines()
    return {line.split()[0]: line[14:] for line in lines}


def agrees(said: dict[str, str]) -> bool:
    """Whether every patch is what the tower's own head pools of it alone."""
    return float(said['patches'].split()[0]) < 1e-5


def test_the_readme_of_the_full_size_is_right(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (written,) = re.findall(r'`({"model_name": .*?})`', FULL)
    (tmp_path / 'semantic').mkdir()
    (tmp_path / 'semantic' / CONFIG_FILE).write_text(written)
    said = described(capsys, str(tmp_path), '--precision', 'fp32')
    assert json.loads(written)['model_name'] == 'ViT-B-16'
    assert said['view'] == '192x320, seen as 224x224 (tiles)'
    assert said['map'] == '14x23, dimension 512'
    assert agrees(said)
    assert described(capsys, str(tmp_path), '--fit', 'positions')['map'].startswith('11x18')


def test_a_siglip_is_described(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its name and with its image tower; of the words' tower only one layer, to be quick."""
    config = open_clip_module().get_model_config('ViT-B-16-SigLIP2')
    config['text_cfg'] |= {'layers': 1, 'vocab_size': 100}
    known = open_clip_module().factory._MODEL_CONFIGS
    monkeypatch.setitem(known, 'ViT-B-16-SigLIP2', config)
    said = described(capsys, 'ViT-B-16-SigLIP2', '--precision', 'fp32')
    assert said['map'] == '14x23, dimension 768'
    assert agrees(said)


@pytest.mark.parametrize('folder', ['models/cell', 'models/cell/semantic'])
def test_the_cells_tower_is_described(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = described(capsys, str(ROOT / folder), '--precision', 'fp32')
    assert said['view'].startswith('192x320')
    assert said['map'] == '12x20, dimension 128'
    assert agrees(said)


def test_an_unknown_tower_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['ViT-Z-99', '--random-weights']) == 1
    assert 'ViT-Z-99' in capsys.readouterr().err
