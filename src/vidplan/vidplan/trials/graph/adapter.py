# SPDX-License-Identifier: Apache-2.0
"""The real adapter, one of whose callbacks fails when somebody asks for it."""

from __future__ import annotations

import signal
import sys

from sensor_msgs.msg import JointState

from vidplan.robots.adapter_node import AdapterNode, main

# Has the next callback fail.
FAIL = signal.SIGUSR1


class FailingAdapter(AdapterNode):
    """Fails at the next joint state after `fails` was set, once.

    Attributes:
        fails: whether it will; of the class, because a signal knows no node.
    """

    fails = False

    def _on_joints(self, message: JointState) -> None:
        if FailingAdapter.fails:
            FailingAdapter.fails = False
            raise RuntimeError('somebody asked for this')
        super()._on_joints(message)


def _fail(*_: object) -> None:
    FailingAdapter.fails = True


def run(args: list[str] | None = None) -> int:
    """Run the adapter until it is stopped."""
    signal.signal(FAIL, _fail)
    return main(args, FailingAdapter)


if __name__ == '__main__':
    sys.exit(run())
