# SPDX-License-Identifier: Apache-2.0
"""`vidplan up --cell` with the shipped models: the checks of the launch test, without launch."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('vidplan_msgs.msg', reason='needs the built workspace')
pytest.importorskip('mujoco', reason='needs the simulated cell')

from tests.vidplan.bringup.graph_checks import FACTOR, check_running_graph

pytestmark = [pytest.mark.ros, pytest.mark.slow]


def test_the_graph_comes_up_answers_and_ends(ros: Any, tmp_path: Path) -> None:
    log = tmp_path / 'up.log'
    with log.open('w') as file:
        words = ['up', '--cell', '--real-time-factor', str(FACTOR)]
        process = subprocess.Popen(
            [sys.executable, '-m', 'vidplan.cli.main', *words], stdout=file, stderr=file
        )
    try:
        check_running_graph(ros)
    except AssertionError as error:
        raise AssertionError(f'{error}\n{log.read_text()}') from None
    finally:
        process.send_signal(signal.SIGINT)
        status = process.wait(timeout=120)
    assert status == 0, log.read_text()
    assert '[planning_server] ' in log.read_text()
