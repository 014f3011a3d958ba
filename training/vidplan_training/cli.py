# SPDX-License-Identifier: Apache-2.0
"""`vidplan-train`: one console script for data, training and offline evaluation.

What trains is a recipe: `vidplan-train RECIPE [--preset NAME] [--set FIELD=VALUE ...]`; what
collects or evaluates has an option for every field instead. Each has its own --help.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from vidplan_core.errors import VidPlanError
from vidplan_training.commands import COMMANDS, Command
from vidplan_training.engine.launch import launch
from vidplan_training.settings.knobs import Settings, leaves
from vidplan_training.settings.options import add_assignments, add_flags, from_flags
from vidplan_training.settings.output import check_not_shipped, record
from vidplan_training.settings.presets import load_preset
from vidplan_training.settings.resolve import assignments, resolve


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; errors on bad input end with a message, not a traceback."""
    os.environ.setdefault('MUJOCO_GL', 'egl')
    words = list(sys.argv[1:] if argv is None else argv)
    args = make_parser(words).parse_args(words)
    command = COMMANDS[args.command]
    try:
        settings = settings_of(command, args)
        if args.processes > 1 and 'LOCAL_RANK' not in os.environ:
            launch(args.processes, words)
        prepare_output(command, settings, args.overwrite_shipped)
        return int(named(command.run)(settings))
    except (FileNotFoundError, ValueError, VidPlanError) as error:
        print(f'vidplan-train {command.name}: {error}', file=sys.stderr)
        return 2


def make_parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """Parser that knows all names, and the options of the command that is asked for."""
    asked = [word for word in words if not word.startswith('-') and not word.isdigit()]
    parser = argparse.ArgumentParser(prog='vidplan-train', description=__doc__)
    parser.add_argument(
        '--processes',
        type=int,
        default=1,
        help='that train together on this machine, on a GPU each where it has some',
    )
    parser.set_defaults(overwrite_shipped=False)
    groups = {'': parser.add_subparsers(required=True, metavar='COMMAND')}
    for command in COMMANDS.values():
        group, _, last = command.name.rpartition(' ')
        if group not in groups:
            own = groups[''].add_parser(group, help='evaluate a trained model offline')
            groups[group] = own.add_subparsers(required=True, metavar='WHAT')
        sub = groups[group].add_parser(last, help=command.text, description=command.text)
        sub.set_defaults(command=command.name)
        if command.name.split() == asked[: len(command.name.split())]:
            _fill(sub, command)
    return parser


def settings_of(command: Command, args: argparse.Namespace) -> Settings:
    """Settings that the command line asks for."""
    kind: type[Settings] = named(command.settings)
    preset = load_preset(command.name, args.preset) if getattr(args, 'preset', None) else {}
    given = assignments(kind, args.set) if command.recipe else from_flags(kind, args)
    return resolve(kind, preset, given)


def prepare_output(command: Command, settings: Settings, overwrite_shipped: bool) -> None:
    """Refuse to write over shipped models unless asked; say beside the output how it is made."""
    out = getattr(settings, 'out', None)
    if out is None:
        return
    if not overwrite_shipped:
        check_not_shipped(out)
    if command.recipe and os.environ.get('RANK', '0') == '0':
        record(command.name, settings, out)


def named(path: str) -> Any:
    """What `module:name` of this package names."""
    module, _, name = path.partition(':')
    return getattr(import_module(f'vidplan_training.{module}'), name)


def _fill(parser: argparse.ArgumentParser, command: Command) -> None:
    kind: type[Settings] = named(command.settings)
    parser.description = kind.__doc__
    add = add_assignments if command.recipe else add_flags
    add(parser, kind, command.name)
    if 'out' in leaves(kind):
        parser.add_argument(
            '--overwrite-shipped', action='store_true', help='let out be among the shipped models'
        )


if __name__ == '__main__':
    sys.exit(main())
