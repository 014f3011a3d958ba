# SPDX-License-Identifier: Apache-2.0
"""The console script `vidplan`.

Exit status: 0 success, 1 the task or the program failed, 2 what was asked cannot be done, 130
Ctrl-C. An error is one line; `--debug` anywhere on the line shows where it came from.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

from vidplan.cli.faults import fault_of
from vidplan.cli.parser import OneLineParser

#: Modules of this package, in the order of `vidplan --help`.
COMMANDS = (
    'run', 'up', 'goal', 'page', 'record', 'replay', 'report', 'view', 'bag', 'data', 'calibrate',
    'score', 'evaluate', 'landscape', 'bench', 'serve-policy', 'models', 'config', 'parse',
    'doctor', 'security', 'completion',
)  # fmt: skip

#: Where a command is that does not lie beside this file.
_PLACES = {
    **{
        name: f'recordings.{name}'
        for name in ('record', 'replay', 'report', 'view', 'bag', 'data', 'calibrate')
    },
    **{name: f'measuring.{name}' for name in ('score', 'landscape', 'bench')},
    **{
        name: f'machine.{name}'
        for name in ('models', 'config', 'parse', 'doctor', 'security', 'completion')
    },
    'page': 'serving.page',
    'serve-policy': 'serving.serve_policy',
}

EXIT_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    debug = '--debug' in words
    words = [word for word in words if word != '--debug']
    try:
        args = _parse(words)
    except SystemExit as ended:  # --help, --version, or a wrong line
        return int(ended.code or 0)
    try:
        return int(_module(args.command).run(args))
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Who read our output has seen enough; nothing may be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if debug:
            raise
        fault = fault_of(error)
        print(f'vidplan {args.command}: {fault}', file=sys.stderr)
        return fault.status


def _parse(words: list[str]) -> argparse.Namespace:
    completing = '_ARGCOMPLETE' in os.environ
    parser = make_parser([] if completing else words)
    if completing:
        import argcomplete

        argcomplete.autocomplete(parser)
    return parser.parse_args(words)


def make_parser(words: Sequence[str]) -> OneLineParser:
    """Return the parser; only the command that is asked for is imported."""
    parser = OneLineParser(
        prog='vidplan',
        description='Follow written instructions by planning in a learned video world model.',
        epilog='Each command has its own --help; --debug shows where an error came from. '
        '`vidplan completion bash` completes words by the Tab key.',
    )
    parser.add_argument('--version', action='version', version=_version())
    subparsers = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    asked = words[:1] if words and words[0] in COMMANDS else COMMANDS
    for name in asked:
        _module(name).add_parser(subparsers)
    return parser


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f'vidplan {version("vidplan")}'
    except PackageNotFoundError:  # a checkout that is not built
        return 'vidplan (not installed)'


def _module(command: str) -> ModuleType:
    return import_module(f'vidplan.cli.{_PLACES.get(command, command)}')


if __name__ == '__main__':
    sys.exit(main())
