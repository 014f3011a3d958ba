# SPDX-License-Identifier: Apache-2.0
"""A process that takes ROS arguments and does what its parameter `mode` says."""

from __future__ import annotations

import signal
import sys
import time

ENDS = {signal.SIGINT: 'interrupted', signal.SIGTERM: 'terminated'}


def leave(number: int, _: object) -> None:
    print(ENDS[signal.Signals(number)], flush=True)
    sys.exit(0)


def main() -> None:
    mode = next(
        (word.split(":='")[1].rstrip("'") for word in sys.argv if word.startswith('mode:=')), ''
    )
    deaf = {'deaf': {signal.SIGINT}, 'stubborn': {signal.SIGINT, signal.SIGTERM}}.get(mode, set())
    for number in ENDS:
        signal.signal(number, signal.SIG_IGN if number in deaf else leave)
    print(f'up as {mode}', flush=True)
    if mode == 'fails':
        sys.exit(3)
    if mode == 'finishes':
        sys.exit(0)
    time.sleep(60)


if __name__ == '__main__':
    main()
