# SPDX-License-Identifier: Apache-2.0
"""Wrong calls of the command line: one line, the right exit status, and at once."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from vidplan.cli.main import main
from vidplan.cli.parser import EXIT_USAGE

LIST = Path(__file__).with_name('wrong_calls.txt')
CALLS = [
    tuple(part.strip() for part in line.rpartition('|')[::2])
    for line in LIST.read_text(encoding='utf-8').splitlines()
    if not line.startswith('#')
]


@pytest.fixture
def places(tmp_path: Path) -> dict[str, str]:
    (tmp_path / 'bag').mkdir()
    text = tmp_path / 'text.txt'
    text.write_text('no such thing\n')
    # The superuser may write anywhere but below a file.
    return {'bag': str(tmp_path / 'bag'), 'text': str(text), 'locked': f'{text}/locked'}


def test_the_list_is_long() -> None:
    assert len(CALLS) >= 40


@pytest.mark.parametrize(('call', 'said'), CALLS, ids=[call or 'nothing' for call, _ in CALLS])
def test_a_wrong_call_is_one_line(
    call: str,
    said: str,
    places: dict[str, str],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob('*'))
    words = [word.format(**places) for word in shlex.split(call)]
    assert main(words) == EXIT_USAGE
    captured = capfd.readouterr()
    assert captured.out == ''
    assert captured.err.count('\n') == 1
    assert captured.err.startswith('vidplan')
    assert said in captured.err
    assert sorted(tmp_path.rglob('*')) == before  # nothing was written


def test_wrong_calls_load_nothing_heavy(places: dict[str, str], tmp_path: Path) -> None:
    said = [call.format(**places) for call, _ in CALLS]
    program = (
        'import shlex, sys\n'
        'from vidplan.cli.main import main\n'
        f'for call in {said!r}:\n'
        '    main(shlex.split(call))\n'
        "    assert not {'torch', 'rclpy', 'mujoco'} & set(sys.modules), call\n"
    )
    done = subprocess.run(
        [sys.executable, '-c', program], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr[-500:]
    assert done.stderr.count('\n') == len(said)
    assert 'Traceback' not in done.stderr


def test_the_run_folder_names_its_recording(tmp_path: Path) -> None:
    from vidplan.cli.arguments import existing_bag

    run = tmp_path / 'outputs/runs/today'
    (run / 'bag' / 'vidplan_1').mkdir(parents=True)
    assert existing_bag(str(run)) == run / 'bag' / 'vidplan_1'
    assert existing_bag(str(run / 'bag' / 'vidplan_1')) == run / 'bag' / 'vidplan_1'


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['--version']) == 0
    assert capsys.readouterr().out.startswith('vidplan')


@pytest.mark.parametrize('shell', ['bash', 'zsh', 'fish'])
def test_completion_scripts_name_the_command(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(['completion', shell]) == 0
    assert 'vidplan' in capsys.readouterr().out


def test_words_are_completed() -> None:
    line = 'vidplan repl'
    # What a shell asks: words on file descriptor 8, between them a vertical tab.
    environment = os.environ | {
        '_ARGCOMPLETE': '1', 'COMP_LINE': line, 'COMP_POINT': str(len(line)), '_ARC_DEBUG': '',
    }  # fmt: skip
    done = subprocess.run(
        ['bash', '-c', f'{sys.executable} -m vidplan.cli.main 8>&1 9>/dev/null'],
        env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.split('\v') == ['replay ']


@pytest.mark.parametrize('columns', ['80'])
def test_help_fits_the_terminal(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv('COLUMNS', columns)
    from vidplan.cli.main import COMMANDS

    for words in ([], *([command] for command in COMMANDS)):
        assert main([*words, '--help']) == 0
        lines = capsys.readouterr().out.splitlines()
        assert max(map(len, lines)) <= int(columns)
