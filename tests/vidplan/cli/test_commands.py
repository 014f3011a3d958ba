# SPDX-License-Identifier: Apache-2.0
"""The commands that talk to a graph, with false processes behind them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('vidplan_msgs.msg', reason='needs the built workspace')

from vidplan.bringup import graph as tables
from vidplan.bringup.description import Process
from vidplan.bringup.graph import CELL
from vidplan.bringup.process import ProcessGroup
from vidplan.bringup.scene_choice import FIRST_EVALUATION_SEED, OBJECTS, choose_scene, kind_of
from vidplan.cli.main import COMMANDS, main
from vidplan.cli.terminal import feedback_line
from vidplan_core.errors import InstructionError
from vidplan_msgs.action import PlanTask

FALSE_GRAPH = Process(
    'no_such_package', 'false_graph', 'tests.vidplan.cli.fake_graph',
    # What is tested is who says what, not how fast this machine is.
    parameters=(('max_observation_age_s', 30), ('max_adapter_silence_s', 30)),
    parameter_files=(),
)  # fmt: skip


@pytest.fixture(autouse=True)
def path(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('PYTHONPATH', f'{repository}:{os.environ.get("PYTHONPATH", "")}')


def false_cell() -> tables.Graph:
    return replace(CELL, processes=(FALSE_GRAPH,))


@pytest.fixture
def running_graph() -> Iterator[None]:
    graph = false_cell()
    ready = threading.Event()

    def on_line(name: str, line: str) -> None:
        print(name, line)
        if 'ready for goals' in line:
            ready.set()

    with ProcessGroup(graph, graph.values(), on_line):
        assert ready.wait(200)  # it imports PyTorch, which a busy machine takes long for
        yield


def goal(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, '-m', 'vidplan.cli.main', 'goal', '--wait', '60', *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.ros
def test_goal_command(running_graph: None) -> None:
    first = goal('move to the carrot')
    out, err = first.communicate(timeout=200)
    assert (first.returncode, err) == (0, '')
    assert 'SUCCESS: moved to the carrot (3 cycles' in out
    assert "target 'carrot'" in out

    second = goal('move to the unicorn')
    out, err = second.communicate(timeout=200)
    assert second.returncode == 1
    assert "TARGET_NOT_FOUND: no view shows 'unicorn'" in err


@pytest.mark.ros
def test_ctrl_c_cancels_the_goal(running_graph: None) -> None:
    process = goal('move to the fish', '--time-limit', '50', '--target', 'blue fish')
    assert process.stdout is not None
    while 'moving' not in (line := process.stdout.readline()):
        assert line, process.stderr.read() if process.stderr else ''
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=200)
    assert process.returncode == 1
    assert 'CANCELED: canceled by the client' in err


@pytest.mark.ros
def test_goal_without_a_graph() -> None:
    # In a namespace of its own, so that no other graph on this machine can answer.
    process = goal('move to the carrot', '--wait', '0.2', '--namespace', 'nobody')
    _, err = process.communicate(timeout=200)
    assert process.returncode == 2
    assert 'is `vidplan up` running' in err


@pytest.mark.ros
@pytest.mark.parametrize(
    ('instruction', 'status', 'verdict'),
    [('move to the carrot', 0, 'SUCCESS'), ('move to the unicorn', 1, 'TARGET_NOT_FOUND')],
    ids=['success', 'no target'],
)
def test_run_writes_video_and_report(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    instruction: str,
    status: int,
    verdict: str,
) -> None:
    monkeypatch.setattr(tables, 'CELL', false_cell())
    assert main(['run', instruction, '--out', str(tmp_path), '--no-record']) == status
    captured = capsys.readouterr()
    assert verdict in captured.out + captured.err
    assert 'waits for the planner' in captured.out
    report = (tmp_path / 'report.html').read_text()
    assert instruction in report
    assert (tmp_path / 'run.mp4').stat().st_size > 1000
    assert 'ready for goals' in (tmp_path / 'logs' / 'false_graph.log').read_text()


@pytest.mark.ros
def test_run_tells_why_the_graph_did_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = replace(FALSE_GRAPH, module='tests.vidplan.no_such_module')
    monkeypatch.setattr(tables, 'CELL', replace(CELL, processes=(broken,)))
    assert main(['run', 'move to the carrot', '--out', str(tmp_path)]) == 2
    assert 'No module named tests.vidplan.no_such_module' in capsys.readouterr().err


def test_nonsense_starts_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['run', 'sing a song', '--out', str(tmp_path / 'none')]) == 2
    assert 'INVALID_INSTRUCTION' in capsys.readouterr().err
    assert not (tmp_path / 'none').exists()


def test_help_names_every_command_and_imports_nothing_heavy() -> None:
    program = (
        'import sys; from vidplan.cli.main import make_parser\n'
        'print(make_parser([]).format_help())\n'
        "assert not {'torch', 'rclpy', 'mujoco', 'rosbags'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, '')
    assert all(command in done.stdout for command in COMMANDS)


@pytest.mark.parametrize('words', [[], ['dance'], ['goal'], ['up', '--cell', '--replay', 'x']])
def test_wrong_command_lines(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert '--help)\n' in capsys.readouterr().err


def test_feedback_line() -> None:
    feedback = PlanTask.Feedback(
        phase=PlanTask.Feedback.EXECUTING, cycle=3, score=-0.25, best_candidate=4,
        plan_latency_s=0.31, elapsed_s=2.5, target='carrot',
    )  # fmt: skip
    assert feedback_line(feedback) == (
        '  2.5 s  moving          cycle   3  score -0.250  candidate 4  planned in 0.31 s  '
        "target 'carrot'"
    )


@pytest.mark.parametrize(
    ('phrase', 'kind'),
    [
        ('carrot', 'carrot'),
        ('orange carrot', 'carrot'),
        ('measuring tape', 'measuring tape'),
        ('bowl', 'bowl'),
        ('unicorn', ''),
        ('carrot fish', ''),
    ],
)
def test_kind_of_a_phrase(phrase: str, kind: str) -> None:
    assert kind_of(phrase) == kind


@pytest.mark.parametrize('name', ['carrot', 'measuring tape', 'lobster'])
def test_the_scene_shows_what_is_asked_for(name: str) -> None:
    from vidplan_sim.scene import random_scene

    choice = choose_scene(f'move to the {name}')
    assert choice.seed >= FIRST_EVALUATION_SEED
    assert name in {one.kind for one in random_scene(choice.seed, OBJECTS).objects}


@pytest.mark.parametrize(
    ('instruction', 'target', 'seed', 'towel'),
    [
        ('fold the towel', '', FIRST_EVALUATION_SEED, True),
        ('fold the cloth in half', 'pink towel', FIRST_EVALUATION_SEED, True),
        ('put the towel in the bowl', '', None, False),
        ('', 'towel', None, False),
    ],
)
def test_what_is_folded_is_cloth(
    instruction: str, target: str, seed: int | None, towel: bool
) -> None:
    from vidplan_sim.objects import cloth

    choice = choose_scene(instruction, target)
    assert (choice.kind, choice.towel) == (cloth.NAME, towel)
    assert seed in (None, choice.seed)


def test_a_given_seed_is_taken() -> None:
    assert choose_scene('move to the carrot', seed=7).seed == 7


def test_what_the_cell_does_not_have_gets_the_first_scene() -> None:
    assert choose_scene('move to the unicorn').seed == FIRST_EVALUATION_SEED


def test_nonsense_has_no_scene() -> None:
    with pytest.raises(InstructionError):
        choose_scene('sing a song')
