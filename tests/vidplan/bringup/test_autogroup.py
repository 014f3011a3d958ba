# SPDX-License-Identifier: Apache-2.0
"""Priority of sessions: a child gets ours, and a kernel that has none is left alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from vidplan.bringup.autogroup import PROC, hand_down


def make_proc(folder: Path, ours: str | None) -> Path:
    for name in ('self', '7'):
        (folder / name).mkdir()
        if ours is not None:
            (folder / name / 'autogroup').write_text(ours if name == 'self' else '')
    return folder


@pytest.mark.parametrize(
    ('ours', 'theirs'),
    [('/autogroup-25 nice -10\n', '-10'), ('/autogroup-3 nice 0\n', '0'), ('', ''), (None, None)],
    ids=['high', 'usual', 'switched_off', 'absent'],
)
def test_a_child_gets_our_priority(tmp_path: Path, ours: str | None, theirs: str | None) -> None:
    hand_down(7, make_proc(tmp_path, ours))
    file = tmp_path / '7' / 'autogroup'
    assert (file.read_text() if file.exists() else None) == theirs


def test_a_child_that_is_gone_is_no_error(tmp_path: Path) -> None:
    hand_down(8, make_proc(tmp_path, '/autogroup-25 nice -10\n'))
    assert not (tmp_path / '8').exists()


@contextmanager
def session() -> Iterator[int]:
    command = [sys.executable, '-c', 'input()']
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as it:
        try:
            yield it.pid
        finally:
            it.kill()


def priority(pid: int | str) -> str:
    file = PROC / str(pid) / 'autogroup'
    return file.read_text().split()[-1] if file.exists() and file.read_text() else ''


@pytest.mark.skipif(not priority('self'), reason='this kernel has no priorities of sessions')
def test_a_session_of_this_machine_has_our_priority() -> None:
    with session() as pid:
        hand_down(pid)
        assert priority(pid) == priority('self')
