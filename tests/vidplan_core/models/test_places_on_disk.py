# SPDX-License-Identifier: Apache-2.0
"""Places for outputs are tried before any work, and nothing is left in them."""

from __future__ import annotations

import errno
import sys
from pathlib import Path

import pytest

from vidplan_core.errors import ConfigError
from vidplan_core.models.places import file_problem, folder_problem, usual_folder

linux = pytest.mark.skipif(not sys.platform.startswith('linux'), reason='there is no /proc')


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / 'text.txt'
    path.write_text('kept')
    return path


def test_what_can_be_written_is_left_as_it_is(tmp_path: Path, text: Path) -> None:
    before = text.stat().st_mtime_ns
    for place in (tmp_path, tmp_path / 'new' / 'newer'):
        assert folder_problem(place) == ''
        assert file_problem(place / 'x.json') == ''
    assert file_problem(text) == ''
    assert file_problem(Path('/dev/null')) == ''
    assert list(tmp_path.iterdir()) == [text]
    assert (text.read_text(), text.stat().st_mtime_ns) == ('kept', before)


def test_what_is_in_the_way_is_named(tmp_path: Path, text: Path) -> None:
    assert 'text.txt is a file' in folder_problem(text / 'below')
    assert 'text.txt is a file' in file_problem(text / 'x.json')
    assert 'is a folder; name a file' in file_problem(tmp_path)


@linux
def test_a_place_that_the_superuser_may_write_but_nobody_can() -> None:
    assert 'cannot be written in /proc' in folder_problem(Path('/proc/vidplan'))
    assert 'cannot be written in /proc' in file_problem(Path('/proc/vidplan/x.json'))


@pytest.mark.parametrize(
    ('number', 'words'),
    [
        (errno.EACCES, 'permission denied'),
        (errno.EROFS, 'read-only file system'),
        (errno.ENOSPC, 'no space left'),
    ],
)
def test_the_reason_of_the_machine_is_told(
    number: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(dir: Path) -> None:
        raise OSError(number, words.capitalize())

    monkeypatch.setattr('vidplan_core.models.places.TemporaryFile', fail)
    assert words in folder_problem(tmp_path)
    with pytest.raises(ConfigError, match=f'{words}; name another by --out DIR'):
        usual_folder(tmp_path, '--out DIR')
