# SPDX-License-Identifier: Apache-2.0
"""The console script `vidplan`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

from vidplan_core.errors import VidPlanError

#: Modules of this package, in the order of `vidplan --help`.
COMMANDS = (
    'run', 'up', 'goal', 'record', 'replay', 'bag', 'data', 'score', 'evaluate', 'landscape',
    'bench', 'models', 'config',
)  # fmt: skip

#: Where a command is that does not lie beside this file.
_PLACES = {name: f'recordings.{name}' for name in ('record', 'replay', 'bag', 'data')}

EXIT_CONFIG = 2
EXIT_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 success, 2 for what was asked wrongly."""
    words = list(sys.argv[1:] if argv is None else argv)
    args = make_parser(words).parse_args(words)
    try:
        return int(_module(args.command).run(args))
    except VidPlanError as error:
        print(f'vidplan {args.command}: {error.code}: {error}', file=sys.stderr)
        return EXIT_CONFIG
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def make_parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser; only the command that is asked for is imported."""
    parser = argparse.ArgumentParser(
        prog='vidplan',
        description='Follow written instructions by planning in a learned video world model.',
        epilog='Each command has its own --help.',
    )
    subparsers = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    asked = words[:1] if words and words[0] in COMMANDS else COMMANDS
    for name in asked:
        _module(name).add_parser(subparsers)
    return parser


def _module(command: str) -> ModuleType:
    return import_module(f'vidplan.cli.{_PLACES.get(command, command)}')


if __name__ == '__main__':
    sys.exit(main())
