# SPDX-License-Identifier: Apache-2.0
"""The viewer of a run stays to be looked at, and ends with a run that is cut short."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from vidplan.cli.recordings.view import live_view
from vidplan_core.errors import ConfigError


class FakeRerun:
    """A program that starts another one, as Rerun's does; both note their process ids."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.notes = folder / 'pids'
        program = folder / 'rerun'
        program.write_text(f'#!/bin/sh\nsleep 600 &\necho $$ $! > {self.notes}\nwait\n')
        program.chmod(0o755)
        monkeypatch.setenv('PATH', str(folder), prepend=os.pathsep)
        monkeypatch.setattr('vidplan_eval.viz.rerun_view.RerunView', lambda *_: 'view')
        for name in ('DISPLAY', 'WAYLAND_DISPLAY'):
            monkeypatch.delenv(name, raising=False)

    def pids(self) -> list[int]:
        wait_until(lambda: self.notes.exists() and self.notes.read_text().endswith('\n'))
        return [int(word) for word in self.notes.read_text().split()]

    def runs(self) -> list[bool]:
        return [bool(words(pid)) for pid in self.pids()]


def words(pid: int) -> str:
    """Its command line, '' of a process that has ended."""
    with suppress(OSError):
        return Path(f'/proc/{pid}/cmdline').read_text()
    return ''


def wait_until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 20.0
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


@pytest.fixture
def rerun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    fake = FakeRerun(tmp_path, monkeypatch)
    yield fake
    if fake.notes.exists():
        with suppress(ProcessLookupError):
            os.killpg(fake.pids()[0], signal.SIGKILL)


def test_it_stays_and_says_how_to_end_it(
    rerun: FakeRerun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with live_view(tmp_path) as view:
        assert view == 'view'
        assert rerun.runs() == [True, True]
    assert rerun.runs() == [True, True]
    said = re.search(r'stays on http://127\.0\.0\.1:9090\S*; to end it: (kill -- -\d+)\n',
                     capsys.readouterr().out)  # fmt: skip
    assert said is not None
    os.system(said.group(1))
    wait_until(lambda: not rerun.runs()[1])


@pytest.mark.parametrize('error', [KeyboardInterrupt, ConfigError], ids=['Ctrl-C', 'failure'])
def test_it_ends_with_a_run_that_is_cut_short(
    rerun: FakeRerun, tmp_path: Path, capsys: pytest.CaptureFixture[str], error: type
) -> None:
    def cut_short() -> None:
        with live_view(tmp_path):
            rerun.pids()
            raise error

    with pytest.raises(error):
        cut_short()
    wait_until(lambda: rerun.runs() == [False, False])
    assert 'stays' not in capsys.readouterr().out
