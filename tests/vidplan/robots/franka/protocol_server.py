# SPDX-License-Identifier: Apache-2.0
"""An independent server of libfranka's protocol, which reproduces the robot's reflexes.

`scripts/franka_sim.sh DIR` installs it; VIDPLAN_FRANKA_SIM=DIR says where it is.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

FOLDER = os.environ.get('VIDPLAN_FRANKA_SIM', '')
HOST, PORTS = '127.0.0.1', (1337, 1338)

needs_server = pytest.mark.skipif(not FOLDER, reason='VIDPLAN_FRANKA_SIM names no server')


@contextmanager
def protocol_server(log: Path, *words: str) -> Iterator[None]:
    """Run the server, of arm and hand, with these words; its lines go to a file."""
    command = [str(Path(FOLDER) / 'serve'), '--enforce-motion-limits', *words]
    with log.open('w') as lines:
        process = subprocess.Popen(command, stdout=lines, stderr=subprocess.STDOUT)
        try:
            _wait_for_ports(process, log)
            yield
        finally:
            process.terminate()
            process.wait(30)


def _wait_for_ports(process: subprocess.Popen[bytes], log: Path) -> None:
    for port in PORTS:
        while not _answers(port):
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
