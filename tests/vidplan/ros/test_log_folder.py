# SPDX-License-Identifier: Apache-2.0
"""ROS logs where its own rules say, and where it cannot, one line says so before it starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidplan.cli.main import main
from vidplan.ros.log_folder import LogFolderError, log_folder
from vidplan.ros.running import EXIT_CONFIG, run_node

VARIABLES = ('HOME', 'ROS_HOME', 'ROS_LOG_DIR')


@pytest.mark.parametrize(
    ('given', 'place'),
    [
        ({'HOME': '{}/a'}, '{}/a/.ros/log'),
        ({'HOME': '{}/a', 'ROS_HOME': '{}/b'}, '{}/b/log'),
        ({'ROS_LOG_DIR': '{}/c', 'ROS_HOME': '/dev/null/b'}, '{}/c'),
        ({'HOME': '{}/a', 'ROS_HOME': '', 'ROS_LOG_DIR': ''}, '{}/a/.ros/log'),
    ],
)
def test_the_rules_are_those_of_ros(given: dict[str, str], place: str, tmp_path: Path) -> None:
    environment = {name: value.format(tmp_path) for name, value in given.items()}
    assert log_folder(environment) == Path(place.format(tmp_path))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ('given', 'reason'),
    [({}, 'HOME is not set'), ({'HOME': '/dev/null/nobody'}, '/dev/null is a file')],
    ids=['no home', 'no such home'],
)
def test_without_a_place_nothing_starts(
    given: dict[str, str],
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(LogFolderError, match=reason):
        log_folder()
    assert main(['goal', 'move to the mug', '--wait', '0']) == 2
    assert main(['up', '--cell']) == 2
    assert run_node(lambda: pytest.fail('a node was made')) == EXIT_CONFIG
    said = capfd.readouterr().err
    assert said.count('\n') == 3
    for words in ('NO_LOG_FOLDER: ROS cannot write its log', reason, 'set HOME, or ROS_LOG_DIR'):
        assert said.count(words) == 3
