# SPDX-License-Identifier: Apache-2.0
"""What is printed to go on with works when it is typed as it stands there."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from vidplan.cli.main import main, make_parser
from vidplan.cli.recordings import run_folder

CELL = Path(__file__).resolve().parents[3] / 'models' / 'cell'


@pytest.mark.parametrize('name', ['runs', "today's runs"])
@pytest.mark.parametrize('models', [None, CELL], ids=['shipped', 'other models'])
def test_a_run_is_replayed_by_its_own_models(
    name: str, models: Path | None, tmp_path: Path
) -> None:
    run = tmp_path / name
    (run / 'bag' / 'vidplan').mkdir(parents=True)
    program, *words = shlex.split(run_folder.replay_command(run, models))
    args = make_parser(words).parse_args(words)
    assert program == 'vidplan'
    assert (args.bag, args.models) == (run / 'bag' / 'vidplan', models)


def test_runs_of_one_second_have_a_folder_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run_folder.time, 'strftime', lambda _: 'now')
    names = [run_folder.new_run_folder().name for _ in range(3)]
    assert names == ['now', 'now-2', 'now-3']
    assert all((tmp_path / 'outputs/runs' / name).is_dir() for name in names)


def test_the_command_of_a_report_can_be_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ['run', 'move to the carrot', '--seed', '7']
    monkeypatch.setattr('sys.argv', ['/some/bin/vidplan', *words])
    assert shlex.split(run_folder.this_command()) == ['vidplan', *words]


def test_the_commands_for_keys_can_be_copied(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / 'my keys'
    assert main(['security', 'init', str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    keys = str(folder / 'keystore')
    commands = [shlex.split(line) for line in lines if line.startswith('  ')]
    assert commands[0][-1] == keys
    assert commands[1][-4:] == ['-k', keys, '-p', str(folder / 'policy.xml')]
    assert f'ROS_SECURITY_KEYSTORE={keys}' in commands[2]
