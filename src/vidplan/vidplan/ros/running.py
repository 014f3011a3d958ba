# SPDX-License-Identifier: Apache-2.0
"""The `main` that every node shares: start, spin, and end with a clear exit status."""

from __future__ import annotations

import gc
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from vidplan.parameters.files import check_arguments
from vidplan.ros.lifecycle import DisposableLifecycleNode
from vidplan.ros.log_folder import log_folder
from vidplan_core.errors import VidPlanError
from vidplan_sim.ros.executors import OneThreadExecutor

T = TypeVar('T', bound=Node)

EXIT_OK = 0
EXIT_CONFIG = 2


def run_node(create: Callable[[], Node], args: list[str] | None = None) -> int:
    """Create the node, spin it until Ctrl-C, SIGTERM or a shutdown, and return the exit status.

    A VidPlanError at the start (an impossible parameter, a missing model) is reported in one line.
    """
    node = None
    try:
        log_folder()
        rclpy.init(args=args)
        check_arguments(args)
        node = create()
        rclpy.spin(node, OneThreadExecutor())
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except VidPlanError as error:
        report_start_failure(error)
        return EXIT_CONFIG
    except RuntimeError:
        if rclpy.ok():
            raise  # else a callback was publishing when the signal took ROS down
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return EXIT_OK


def run_node_with_shutdown(
    create: Callable[[], T],
    on_shutdown: Callable[[T], bool],
    shutdown_s: float,
    args: list[str] | None = None,
) -> int:
    """Like `run_node`, for a node that must still send something when it is shut down.

    Args:
        create: makes the node.
        on_shutdown: called after the signal, an exception, or the node's shutdown as a lifecycle
            node, until it returns True.
        shutdown_s: longest time for that, s.
        args: of the command line.
    """
    ending = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ending.set())
    try:
        log_folder()
        # ROS must stay up after the signal, or nothing could be sent.
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
        check_arguments(args)
        node = create()
        # Modules are no garbage: to look through all of them takes 0.1 s, in mid-motion.
        gc.freeze()
    except VidPlanError as error:
        report_start_failure(error)
        rclpy.try_shutdown()
        return EXIT_CONFIG
    executor = OneThreadExecutor()
    executor.add_node(node)
    try:
        while not (ending.is_set() or _is_finalized(node)):
            executor.spin_once(timeout_sec=0.1)
    finally:
        deadline_s = time.monotonic() + shutdown_s
        while not on_shutdown(node) and time.monotonic() < deadline_s:
            executor.spin_once(timeout_sec=0.1)
        node.destroy_node()
        rclpy.try_shutdown()
    return EXIT_OK


def _is_finalized(node: Node) -> bool:
    return isinstance(node, DisposableLifecycleNode) and node.finalized


def report_start_failure(error: VidPlanError) -> None:
    """Say on standard error why the process ends; a logger may be gone by then."""
    print(f'{error.code}: {error}', file=sys.stderr, flush=True)
