# SPDX-License-Identifier: Apache-2.0
"""The `main` that every node shares: start, spin, and leave with a clear exit status."""

from __future__ import annotations

import sys
from collections.abc import Callable

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node

from vidplan_core.errors import VidPlanError

EXIT_OK = 0
EXIT_CONFIG = 2


def run_node(create: Callable[[], Node], args: list[str] | None = None) -> int:
    """Create the node, spin it until Ctrl-C, SIGTERM or a shutdown, and return the exit status.

    A VidPlanError at the start (an impossible parameter, a missing model) is told in one line.
    """
    rclpy.init(args=args)
    node = None
    try:
        node = create()
        rclpy.spin(node)
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


def report_start_failure(error: VidPlanError) -> None:
    """Say on standard error why the process ends; a logger may be gone by then."""
    print(f'{error.code}: {error}', file=sys.stderr, flush=True)
