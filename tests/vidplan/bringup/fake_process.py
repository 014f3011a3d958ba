# SPDX-License-Identifier: Apache-2.0
"""A process that takes ROS arguments and does what its parameter `mode` says.

Other parameters: it makes the file `tells` when it is up, and waits for the file `awaits` first.
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import yaml

ENDS = {signal.SIGINT: 'interrupted', signal.SIGTERM: 'terminated'}


def leave(number: int, _: object) -> None:
    print(ENDS[signal.Signals(number)], flush=True)
    sys.exit(0)


def main() -> None:
    file = Path(sys.argv[sys.argv.index('--params-file') + 1])
    arguments = yaml.safe_load(file.read_text())['/**']['ros__parameters']
    mode = arguments['mode']
    deaf = {'deaf': {signal.SIGINT}, 'stubborn': {signal.SIGINT, signal.SIGTERM}}.get(mode, set())
    for number in ENDS:
        signal.signal(number, signal.SIG_IGN if number in deaf else leave)
    print(f'up as {mode}', flush=True)
    was_here = False
    if path := arguments['tells']:
        was_here = Path(path).exists()
        Path(path).touch()
    if path := arguments['awaits']:
        while not Path(path).exists():
            time.sleep(0.01)
    status = {'fails': 3, 'finishes': 0, 'refuses': 2, 'fails_first': 3}.get(mode)
    if status is not None and not (mode == 'fails_first' and was_here):
        sys.exit(status)
    time.sleep(60)


if __name__ == '__main__':
    main()
