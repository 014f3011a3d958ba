# SPDX-License-Identifier: Apache-2.0
"""Stitcher, planning server and adapter in one process, all of them quick and false."""

from __future__ import annotations

import signal
import sys
import threading

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from tests.fakes.fake_adapter import FakeAdapter, FakeStitcher
from tests.fakes.fake_models import ServerSystem
from vidplan.planning_server.main import PlanningServer
from vidplan.planning_server.planning_host import PlanningHost


def main() -> int:
    stop = threading.Event()  # also set where the server itself has ended
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    rclpy.init(args=sys.argv, signal_handler_options=SignalHandlerOptions.NO)
    fakes = SingleThreadedExecutor()
    for node in (FakeStitcher(), FakeAdapter()):
        fakes.add_node(node)
    ended = threading.Event()
    spinning = threading.Thread(target=spin, args=(fakes, ended))
    spinning.start()
    server = PlanningServer(PlanningHost(load=lambda *_: ServerSystem()))
    server.ended = stop
    server.start()
    stop.wait()
    server.stop()
    ended.set()
    spinning.join()
    rclpy.try_shutdown()
    if server.error is not None:
        raise server.error
    return 0


def spin(executor: SingleThreadedExecutor, ended: threading.Event) -> None:
    while not ended.is_set():
        executor.spin_once(timeout_sec=0.05)


if __name__ == '__main__':
    sys.exit(main())
