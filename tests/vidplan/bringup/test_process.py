# SPDX-License-Identifier: Apache-2.0
"""Processes that obey, fail or are deaf: all of them must be gone in the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from vidplan.bringup.description import Graph, Process
from vidplan.bringup.graph import PLANNING
from vidplan.bringup.process import ProcessGroup
from vidplan.cli import up
from vidplan.cli.main import main

# Short where it runs out on purpose, long where the processes end by themselves.
SHORT_S = 0.2
LONG_S = 60.0


def fake(name: str, mode: str, *, tells: str = '', awaits: str = '', **fields: object) -> Process:
    process = Process(
        'no_such_package', name, 'tests.vidplan.bringup.fake_process',
        parameters=(('mode', mode), ('tells', tells), ('awaits', awaits)), parameter_files=(),
    )  # fmt: skip
    return replace(process, **fields)  # type: ignore[arg-type]


def graph_of(*processes: Process) -> Graph:
    return replace(PLANNING, processes=processes)


class Lines:
    """Collects what the processes say."""

    def __init__(self) -> None:
        self.all: list[tuple[str, str]] = []

    def __call__(self, name: str, line: str) -> None:
        self.all.append((name, line))

    def wait_for(self, *wanted: tuple[str, str]) -> None:
        wait_until(lambda: set(wanted) <= set(self.all))


def wait_until(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, 'waited too long'
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(autouse=True)
def path(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('PYTHONPATH', f'{repository}:{os.environ.get("PYTHONPATH", "")}')


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def signals() -> Iterator[None]:
    """Put back the handlers that a command installs."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def make(lines: Lines, *processes: Process, **given: object) -> ProcessGroup:
    graph = graph_of(*processes)
    return ProcessGroup(graph, graph.values(given), lines)


def test_lines_come_under_the_name_and_all_end_when_asked(lines: Lines) -> None:
    with make(lines, fake('one', 'obeys'), fake('two', 'obeys')) as group:
        lines.wait_for(('one', 'up as obeys'), ('two', 'up as obeys'))
        assert group.stop(LONG_S)
        assert [child.exit_code for child in group.children] == [0, 0]
    assert ('one', 'interrupted') in lines.all


def test_a_deaf_process_is_asked_twice(lines: Lines) -> None:
    with make(lines, fake('deaf', 'deaf')) as group:
        lines.wait_for(('deaf', 'up as deaf'))
        assert group.stop(3.0)
        assert group.children[0].exit_code == 0
    assert ('deaf', 'terminated') in lines.all


def test_a_stubborn_process_is_ended(lines: Lines) -> None:
    with make(lines, fake('stubborn', 'stubborn')) as group:
        lines.wait_for(('stubborn', 'up as stubborn'))
        assert not group.stop(SHORT_S)
        assert group.children[0].exit_code == -signal.SIGKILL


def test_each_end_is_told_once(lines: Lines) -> None:
    with make(lines, fake('one', 'fails'), fake('two', 'obeys')) as group:
        wait_until(lambda: group.children[0].exit_code is not None)
        assert [(child.name, child.exit_code) for child in group.newly_ended()] == [('one', 3)]
        assert not group.newly_ended()


@pytest.mark.parametrize(('record', 'names'), [(False, ['one']), (True, ['one', 'two'])])
def test_condition(lines: Lines, record: bool, names: list[str]) -> None:
    processes = fake('one', 'finishes'), fake('two', 'finishes', condition='record')
    with make(lines, *processes, record=record) as group:
        assert [child.name for child in group.children] == names


def test_an_exception_leaves_no_process_behind(lines: Lines) -> None:
    group = make(lines, fake('one', 'obeys'))

    def fail_within() -> None:
        with group:
            lines.wait_for(('one', 'up as obeys'))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_within()
    assert group.children[0].exit_code == 0


def test_a_second_process_that_cannot_start_ends_the_first(
    lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []
    real = subprocess.Popen

    def popen(*args: object, **options: object) -> object:
        if started:
            raise OSError('out of processes')
        started.append(real(*args, **options))  # type: ignore[call-overload]
        return started[0]

    monkeypatch.setattr(subprocess, 'Popen', popen)
    with pytest.raises(OSError, match='out of'), make(lines, fake('a', 'obeys'), fake('b', 'x')):
        pass
    assert started[0].poll() is not None


@pytest.mark.skipif(sys.platform != 'linux', reason='asks the kernel of Linux')
def test_killed_parent_takes_its_processes_along() -> None:
    program = (
        'import time\n'
        'from tests.vidplan.bringup.test_process import *\n'
        'with make(lambda name, line: print(line, flush=True), fake("one", "obeys")) as group:\n'
        '    print(group.children[0].pid, flush=True)\n'
        '    time.sleep(60)\n'
    )
    parent = subprocess.Popen([sys.executable, '-c', program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert parent.stdout.readline() == 'up as obeys\n'
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_until(lambda: not is_running(pid))


def run_up(monkeypatch: pytest.MonkeyPatch, processes: tuple[Process, ...], *words: str) -> int:
    monkeypatch.setattr(up, 'PLANNING', graph_of(*processes))
    return main(['up', *words])


def test_up_ends_with_zero_after_a_signal(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    signals: None,
    tmp_path: Path,
) -> None:
    files = [tmp_path / 'one', tmp_path / 'second']

    def interrupt_when_up() -> None:
        wait_until(lambda: all(file.exists() for file in files))
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt_when_up)
    thread.start()
    processes = tuple(fake(file.name, 'obeys', tells=str(file)) for file in files)
    status = run_up(monkeypatch, processes, '--models', str(tmp_path))
    thread.join()
    assert status == 0
    assert '[second] interrupted' in capsys.readouterr().out.replace('[second]  ', '[second] ')


@pytest.mark.parametrize(
    ('mode', 'required', 'status'),
    [('fails', True, 1), ('finishes', True, 0), ('fails', False, 1)],
    ids=['required fails', 'required is done', 'the only one fails'],
)
@pytest.mark.fault('graph_falls')
def test_up_ends_when_the_graph_falls_apart(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    signals: None,
    tmp_path: Path,
    mode: str,
    required: bool,
    status: int,
) -> None:
    # The other one can be interrupted once it is up.
    is_up = str(tmp_path / 'other')
    others = (fake('other', 'obeys', tells=is_up),) if required else ()
    process = fake('it', mode, awaits=is_up if required else '', required=required)
    assert run_up(monkeypatch, (process, *others), '--models', str(tmp_path)) == status
    assert 'it ended with exit code' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('mode', 'words', 'starts', 'status'),
    [
        ('fails_first', '', 2, 0), ('fails', '', 3, 1), ('refuses', '', 1, 1),
        ('finishes', '', 1, 0), ('fails', '--respawn=', 1, 1),
    ],
    ids=['once', 'again and again', 'what is impossible', 'as asked', 'none is to'],
)  # fmt: skip
@pytest.mark.fault('respawn', 'graph_falls')
def test_up_starts_again_what_failed_so_many_times(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    signals: None,
    tmp_path: Path,
    mode: str,
    words: str,
    starts: int,
    status: int,
) -> None:
    is_up, was_here = tmp_path / 'adapter', tmp_path / 'stitcher'
    it = fake('stitcher', mode, tells=str(was_here), awaits=str(is_up))
    other = fake('adapter', 'obeys', tells=str(is_up))
    lines: list[str] = []
    monkeypatch.setattr(up.Printer, '__call__', lambda _, name, line: lines.append(name + line))

    def interrupt_when_back() -> None:
        wait_until(lambda: lines.count('stitcherup as fails_first') == 2)
        os.kill(os.getpid(), signal.SIGINT)

    if mode == 'fails_first':
        threading.Thread(target=interrupt_when_back, daemon=True).start()
    options = ('--respawn-tries=2', '--respawn-delay-s=0.1', '--models', str(tmp_path), words)
    assert run_up(monkeypatch, (it, other), *filter(None, options)) == status
    assert lines.count(f'stitcherup as {mode}') == starts
    said = capsys.readouterr().out
    assert said.count('starts again in 0.1 s') == starts - 1
    assert said.count('all end') == (mode != 'fails_first')


@pytest.mark.fault('disk_full')
def test_a_recording_that_fails_ends_the_graph_if_asked(
    monkeypatch: pytest.MonkeyPatch, signals: None, tmp_path: Path
) -> None:
    (recorder,) = [one for one in PLANNING.processes if one.executable == 'recorder']
    assert not recorder.is_required(PLANNING.values({'record': True}))
    is_up = str(tmp_path / 'other')
    failing = fake('it', 'fails', awaits=is_up, required=recorder.required)
    words = ('--record-required', '--models', str(tmp_path))
    assert run_up(monkeypatch, (failing, fake('other', 'obeys', tells=is_up)), *words) == 1


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['--models', '/no/such/folder'], 'models'),
        (['--params-file', '/no/such.yaml'], 'params_file'),
        (['--replay', '/no/such/bag'], 'bag'),
        (['--seed', '3'], "no argument 'seed'"),
        (['--respawn', 'stitcher,adaptor'], "respawn names 'adaptor'; planning has stitcher, "),
        (['--respawn-tries=-1'], 'respawn_tries is -1; allowed: 0 .. 100'),
        (['--respawn-delay-s=0'], 'respawn_delay_s is 0; allowed: 0.1 .. 60'),
    ],
)
def test_up_says_what_was_asked_wrongly(
    capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main(['up', *words]) == 2
    assert message in capsys.readouterr().err
