# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from vidplan.cli.main import main
from vidplan_core.errors import ModelError
from vidplan_core.models.manifest import MANIFEST, check_manifest, seal


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A sealed folder, one part of which is shared with other models by a link."""
    folder, shared = tmp_path / 'models', tmp_path / 'shared'
    for part in (folder / 'uncertainty', folder / 'policy/words', shared):
        part.mkdir(parents=True)
        (part / 'config.json').write_text('{}')
        (part / 'weights.safetensors').write_bytes(part.name.encode())
    (folder / 'value').symlink_to(shared)
    (folder / 'README.md').write_text('words')
    seal(folder)
    return folder


def test_what_was_sealed_passes_and_words_and_measurements_do_not_count(models: Path) -> None:
    (models / 'README.md').write_text('other words')
    (models / 'uncertainty/metrics.json').write_text('{}')
    check_manifest(models, required=True)


def remove_head(models: Path) -> None:
    for file in (models / 'uncertainty').iterdir():
        file.unlink()


def change_shared(models: Path) -> None:
    (models / 'value/weights.safetensors').write_bytes(b'of other models')


def add_policy(models: Path) -> None:
    (models / 'policy/grounded').mkdir()
    (models / 'policy/grounded/weights.safetensors').write_bytes(b'foreign')


def break_manifest(models: Path) -> None:
    (models / MANIFEST).write_text('["sha256"]')


@pytest.mark.fault('models')
@pytest.mark.parametrize(('spoil', 'says'), [
    (remove_head, 'uncertainty/weights.safetensors is missing'),
    (change_shared, 'value/weights.safetensors was changed'),
    (add_policy, 'policy/grounded/weights.safetensors does not belong to it'),
    (break_manifest, 'is no manifest'),
])  # fmt: skip
def test_what_does_not_hold_is_refused_by_name(
    models: Path, spoil: Callable[[Path], None], says: str
) -> None:
    spoil(models)
    with pytest.raises(ModelError, match=says):
        check_manifest(models)


def test_sealing_anew_accepts_what_is_there(models: Path) -> None:
    add_policy(models)
    assert main(['models', 'seal', str(models)]) == 0
    check_manifest(models)


def test_without_a_manifest_only_those_pass_who_need_none(models: Path) -> None:
    (models / MANIFEST).unlink()
    check_manifest(models)
    with pytest.raises(ModelError, match=f'vidplan models seal {models}'):
        check_manifest(models, required=True)


def test_nothing_to_seal(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match='holds no weights'):
        seal(tmp_path)


@pytest.mark.parametrize('name', ['cell', 'cell_contact'])
def test_shipped_models_are_what_their_manifests_say(repository: Path, name: str) -> None:
    check_manifest(repository / 'models' / name, required=True)
