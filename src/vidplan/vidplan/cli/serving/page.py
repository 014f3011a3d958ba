# SPDX-License-Identifier: Apache-2.0
"""`vidplan page`: a web page to send instructions, watch, and stop the arm."""

from __future__ import annotations

import argparse
import secrets
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vidplan.page.ros_link import RosLink


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        'page',
        help='a web page to send instructions, watch views and state, and stop the arm',
        description='Serves a page of a running graph (`vidplan up`). Its STOP is no emergency '
        'stop: keep that within reach. Ctrl-C ends the page; a goal goes on.',
    )
    parser.add_argument(
        '--host', default='127.0.0.1', help='default: this machine only; another needs the token '
        'that is printed, and nothing is encrypted',
    )  # fmt: skip
    parser.add_argument('--port', type=int, default=8088, help='0: any that is free')
    parser.add_argument('--namespace', default='', help='of the graph')
    return parser


def run(args: argparse.Namespace) -> int:
    """Serve until it is interrupted.

    Raises:
        PageError: the address cannot be listened on.
    """
    import rclpy

    from vidplan.page.ros_link import RosLink
    from vidplan.page.server import PageServer, is_loopback
    from vidplan.ros.log_folder import log_folder

    log_folder()
    rclpy.init(args=[])
    link = RosLink(namespace=args.namespace)
    try:
        token = '' if is_loopback(args.host) else secrets.token_urlsafe(16)
        server = PageServer(link, args.host, args.port, token)
        threading.Thread(target=_spin, args=(link,), daemon=True).start()
        print(f'page: {server.url}', flush=True)
        with server:
            server.serve_forever()
    finally:
        rclpy.try_shutdown()
    return 0


def _spin(link: RosLink) -> None:
    """Handle messages until the context ends; rclpy says that by an exception of its own."""
    import rclpy
    from rclpy.executors import ExternalShutdownException

    with suppress(ExternalShutdownException):
        rclpy.spin(link)
