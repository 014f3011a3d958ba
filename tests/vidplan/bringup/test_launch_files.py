# SPDX-License-Identifier: Apache-2.0
"""The launch files through launch_testing, where it is installed.

`tests/vidplan/test_up_cell.py` makes the same checks where it is not. As a process of its own:
launch_testing's plugin for pytest belongs to the pytest of its distribution, not to ours.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip('launch_testing.actions', reason='launch_testing is not installed')
pytest.importorskip('vidplan_msgs.msg', reason='needs the built workspace')

pytestmark = [pytest.mark.ros, pytest.mark.slow]


def test_cell_graph(repository: Path) -> None:
    environment = {**os.environ, 'PYTHONPATH': f'{os.environ.get("PYTHONPATH", "")}:{repository}'}
    words = ['-m', 'launch_testing.launch_test', 'tests/vidplan/bringup/cell_graph.py']
    done = subprocess.run(
        [sys.executable, *words], cwd=repository, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:]
