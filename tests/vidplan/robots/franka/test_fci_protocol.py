# SPDX-License-Identifier: Apache-2.0
"""Through libfranka to an independent server of its protocol that reproduces reflexes.

`scripts/franka_sim.sh DIR` installs the server; VIDPLAN_FRANKA_SIM=DIR says where it is, and
VIDPLAN_FCI_SECONDS for how long plans are sent.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip('pylibfranka', reason='needs pylibfranka')

from vidplan.cli.main import main

FOLDER = os.environ.get('VIDPLAN_FRANKA_SIM', '')
PORT = 1337
SECONDS = os.environ.get('VIDPLAN_FCI_SECONDS', '20')

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FOLDER, reason='VIDPLAN_FRANKA_SIM names no server'),
]


@pytest.fixture(params=[(), ('--enforce-comm-constraints',)], ids=['motion', 'network'])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    words = [str(Path(FOLDER) / 'serve'), '--enforce-motion-limits', *request.param]
    with (tmp_path / 'server.log').open('w') as log:
        process = subprocess.Popen(
            words, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            wait_for_port()
            yield 'network' if request.param else 'motion'
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)


def wait_for_port() -> None:
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(('127.0.0.1', PORT)) == 0:
                return


@pytest.mark.fault('reflex')
def test_no_plan_has_the_arm_stop_itself_and_it_recovers(server: str) -> None:
    words = ['bench', 'fci', '--seconds', SECONDS, '--seed', '1']
    provoke = ['--provoke'] if server == 'network' else []
    assert main([*words, *provoke]) == 0
