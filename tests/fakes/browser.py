# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium, driven by its DevTools protocol over a websocket."""

from __future__ import annotations

import base64
import io
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from PIL import Image
from websockets.sync.client import ClientConnection, connect

NAMES = ('chromium', 'chromium-browser', 'google-chrome')
START_S, WAIT_S = 90.0, 60.0
# What draws by WebGL does so on the processor here, seconds for a frame of a busy machine.
DRAWING = ('--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--ignore-gpu-blocklist')


def chromium() -> str | None:
    """Path of an installed Chromium."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Tab:
    """One page; what it is asked is JavaScript."""

    def __init__(self, socket: ClientConnection, wait_s: float = WAIT_S) -> None:
        self._socket, self._wait_s = socket, wait_s
        self._numbers = count(1)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._socket.send(json.dumps({'id': number, 'method': method, 'params': params}))
        while True:
            answer = json.loads(self._socket.recv(timeout=self._wait_s))
            if answer.get('id') == number:
                assert 'error' not in answer, answer
                return dict(answer['result'])

    def ask(self, script: str) -> Any:
        result = self.call('Runtime.evaluate', expression=script, returnByValue=True)
        assert 'exceptionDetails' not in result, result
        return result['result'].get('value')

    def wait_for(self, script: str) -> Any:
        """Ask until the answer is true."""
        deadline_s = time.monotonic() + self._wait_s
        while not (value := self.ask(script)):
            assert time.monotonic() < deadline_s, f'{script} stayed {value!r}'
            time.sleep(0.1)
        return value

    def look(self) -> bytes:
        """What it shows now, a PNG."""
        return base64.b64decode(self.call('Page.captureScreenshot', format='png')['data'])

    def screenshot(self, path: Path) -> None:
        path.write_bytes(self.look())

    def wait_for_colours(self, count: int, still_s: float = 0.0) -> bytes:
        """Look until it shows at least so many colours, as pictures do; returns the PNG.

        Then look on until it has been the same for `still_s`, or there is no more time.
        """
        deadline_s = time.monotonic() + self._wait_s
        while (found := colours(shot := self.look())) < count:
            assert time.monotonic() < deadline_s, f'it shows {found} colours, not {count}'
            time.sleep(1.0)
        before = b''
        while still_s and shot != before and time.monotonic() < deadline_s:
            time.sleep(still_s)
            before, shot = shot, self.look()
        return shot


def colours(png: bytes) -> int:
    """How many colours a picture has."""
    picture = Image.open(io.BytesIO(png)).convert('RGB')
    return len(picture.getcolors(picture.width * picture.height) or ())


@contextmanager
def open_tab(
    url: str,
    folder: Path,
    size: tuple[int, int] = (1024, 900),
    *,
    draws: bool = False,
    wait_s: float = WAIT_S,
) -> Iterator[Tab]:
    """Open a page in a browser of its own, with its files in `folder`; `draws`: by WebGL."""
    program = chromium()
    assert program is not None
    browser = subprocess.Popen(
        [program, '--headless=new', '--no-sandbox', *(DRAWING if draws else ('--disable-gpu',)),
         '--remote-debugging-port=0', f'--user-data-dir={folder}',
         f'--window-size={size[0]},{size[1]}', url],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        with connect(_address(folder, url), max_size=None) as socket:
            yield Tab(socket, wait_s)
    finally:
        browser.terminate()
        browser.wait(30)


def _address(folder: Path, url: str) -> str:
    """Where the tab of a page listens, once there is one."""
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s:
        try:
            port = (folder / 'DevToolsActivePort').read_text().split()[0]
            with urlopen(f'http://127.0.0.1:{port}/json', timeout=5) as answer:
                tabs = json.load(answer)
        except (OSError, IndexError):
            tabs = []
        for tab in tabs:
            if tab['type'] == 'page' and tab['url'] == url:
                return str(tab['webSocketDebuggerUrl'])
        time.sleep(0.2)
    raise AssertionError(f'no tab shows {url} within {START_S:.0f} s')
