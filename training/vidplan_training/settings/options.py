# SPDX-License-Identifier: Apache-2.0
"""Command-line options of settings: `--set field=value` for all, `--field value` for tools."""

from __future__ import annotations

import argparse
from typing import Any, get_args, get_origin

from vidplan_training.settings.knobs import Leaf, Settings, leaves
from vidplan_training.settings.presets import presets_of
from vidplan_training.settings.values import described, from_text, without_none


def add_assignments(parser: argparse.ArgumentParser, kind: type[Settings], command: str) -> None:
    """Declare --preset and --set, with every field in the help."""
    _add_preset(parser, command)
    parser.add_argument(
        '--set',
        nargs='+',
        action='extend',
        default=[],
        metavar='FIELD=VALUE',
        help='change fields; lists with commas between',
    )
    parser.epilog = 'fields:\n' + '\n'.join(_line(leaf) for leaf in leaves(kind).values())
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def add_flags(parser: argparse.ArgumentParser, kind: type[Settings], command: str) -> None:
    """Declare an option for every field."""
    _add_preset(parser, command)
    for leaf in leaves(kind).values():
        parser.add_argument(
            f'--{leaf.name.replace("_", "-")}', dest=leaf.name, help=_help(leaf), **_shape(leaf)
        )


def from_flags(kind: type[Settings], given: argparse.Namespace) -> dict[str, Any]:
    """Values by name of the options that were given."""
    values: dict[str, Any] = {}
    for leaf in leaves(kind).values():
        text = getattr(given, leaf.name)
        if isinstance(text, bool):
            values[leaf.name] = text
        elif text is not None:
            joined = ','.join(text) if isinstance(text, list) else text
            values[leaf.name] = from_text(leaf.name, joined, leaf.kind)
    return values


def _add_preset(parser: argparse.ArgumentParser, command: str) -> None:
    known = ', '.join([*presets_of(command), 'or the path of a TOML file'])
    parser.add_argument('--preset', metavar='NAME', help=f'named settings: {known}')


def _shape(leaf: Leaf) -> dict[str, Any]:
    kind = without_none(leaf.kind)
    if kind is bool:
        return {'action': argparse.BooleanOptionalAction, 'default': None}
    metavar = leaf.name.upper()
    if get_origin(kind) is tuple:
        wanted = get_args(kind)
        return {'nargs': '+' if wanted[-1] is ... else len(wanted), 'metavar': metavar}
    return {'metavar': metavar}


def _help(leaf: Leaf) -> str:
    notes = [limits(leaf)]
    notes.append('' if leaf.required or leaf.default is None else f'default: {shown(leaf)}')
    noted = '; '.join(note for note in notes if note)
    return f'{leaf.knob.text} ({noted})'.replace('%', '%%') if noted else leaf.knob.text


def _line(leaf: Leaf) -> str:
    value = '(required)' if leaf.required else f'= {shown(leaf)}'
    notes = '; '.join(note for note in (described(leaf.kind), limits(leaf)) if note)
    return f'  {leaf.name} {value}\n      {leaf.knob.text} ({notes})'


def limits(leaf: Leaf) -> str:
    """Bounds and unit in words."""
    return f'{leaf.knob.bounds()} {leaf.knob.unit}'.strip()


def shown(leaf: Leaf) -> str:
    """A default as it would be typed."""
    if leaf.default is None:
        return 'none'
    if isinstance(leaf.default, tuple):
        return ','.join(str(one) for one in leaf.default)
    return str(leaf.default).lower() if isinstance(leaf.default, bool) else str(leaf.default)
