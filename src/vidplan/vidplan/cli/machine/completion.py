# SPDX-License-Identifier: Apache-2.0
"""`vidplan completion`: what a shell needs to complete commands, options and paths."""

from __future__ import annotations

import argparse
from typing import Any

SHELLS = ('bash', 'zsh', 'fish')


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        'completion',
        help='print what completes commands in a shell',
        description='For now: `source <(vidplan completion bash)`; for ever: write that into '
        '~/.bashrc.',
    )
    parser.add_argument('shell', choices=SHELLS)
    return parser


def run(args: argparse.Namespace) -> int:
    """Print the script."""
    import argcomplete

    print(argcomplete.shellcode(['vidplan'], shell=args.shell))
    return 0
