# SPDX-License-Identifier: Apache-2.0
"""Rerun's web viewer of a recording, on ports of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody has."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(('127.0.0.1', 0))
        return [int(one.getsockname()[1]) for one in sockets]


@contextmanager
def rerun_page(recording: Path) -> Iterator[str]:
    """Serve a recording; gives the address of the page that shows it."""
    program = shutil.which('rerun')
    assert program is not None
    web, data = free_ports(2)
    viewer = subprocess.Popen(
        [program, '--serve-web', '--bind', '127.0.0.1', '--port', str(data),
         '--web-viewer-port', str(web), str(recording)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        for port in (data, web):
            _wait_for(port)
        proxy = f'rerun%2Bhttp%3A%2F%2F127.0.0.1%3A{data}%2Fproxy'
        yield f'http://127.0.0.1:{web}/?url={proxy}&hide_welcome_screen=1'
    finally:
        # The program is a script that starts another one, which would outlive it.
        os.killpg(viewer.pid, signal.SIGTERM)
        viewer.wait(30)


def _wait_for(port: int, tries: int = 300) -> None:
    """Return once somebody listens there."""
    for _ in range(tries):
        with socket.socket() as asked:
            asked.settimeout(1.0)
            if asked.connect_ex(('127.0.0.1', port)) == 0:
                return
            time.sleep(0.1)
    raise AssertionError(f'nobody listens on port {port}')
