# SPDX-License-Identifier: Apache-2.0
"""The parameter files of the repository, written from the knobs: a comment in every line."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vidplan.parameters.nodes import node_entries
from vidplan_core.knobs import Entry

_WIDTH = 99
# Comments begin here, unless the value is longer; they then stand above it.
_COLUMN = 34
_INDENT = ' ' * 4
# Words that YAML takes for something else than text.
_SPECIAL = ('true', 'false', 'yes', 'no', 'on', 'off', 'y', 'n', 'null')

_PLANNING = """\
Parameters of the planning graph, for launch/planning.launch.py and `vidplan up`; one block per
node, every value the default. `/**` makes the file valid in any namespace. What is not in it
keeps its default; a name that no node knows ends the start. A launch argument counts only when
it is given, and then before this file.

Written by `vidplan config --write` from the knobs in the code; edit a copy, or the values here.
"""
_CELL = """\
Parameters of the simulated Franka cell, for launch/cell.launch.py and `vidplan up --cell`; every
value the default. `/**` makes the file valid in any namespace.

Written by `vidplan config --write` from the knobs in the code; edit a copy, or the values here.
"""

#: Of every file in `config/`: what it begins with, and its nodes with what each does.
FILES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    'planning.yaml': (
        _PLANNING,
        {
            'world_model': 'planning server: loads the models and imagines',
            'reward': 'planning server: scores pictures',
            'planner': 'planning server: takes goals and plans',
            'stitcher': 'cameras, arm and gripper become one observation',
            'adapter': 'the only node that commands the robot',
            'fci': 'the arm, on a host without ros2_control, with fci:=true',
            'recorder': 'writes a bag, with record:=true',
            'player': 'plays a bag, in launch/replay.launch.py',
        },
    ),
    'cell.yaml': (_CELL, {'cell': 'the simulated robot and its cameras'}),
}


def file_text(name: str) -> str:
    """Return what one of the FILES says."""
    head, nodes = FILES[name]
    lines = [f'# {line}'.rstrip() for line in head.splitlines()]
    for node, what in nodes.items():
        lines += ['', f'# --- {node}: {what} '.ljust(_WIDTH, '-'), '']
        lines += [f'/**/{node}:', '  ros__parameters:', *_node_lines(node)]
    return '\n'.join(lines) + '\n'


def write_files(folder: Path) -> list[Path]:
    """Write the files into a folder, which is made, and return those that changed."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = []
    for name in FILES:
        path, text = folder / name, file_text(name)
        if not path.exists() or path.read_text(encoding='utf-8') != text:
            path.write_text(text, encoding='utf-8')
            changed.append(path)
    return changed


def _node_lines(node: str) -> Iterator[str]:
    opened: tuple[str, ...] = ()
    for index, entry in enumerate(node_entries(node).values()):
        if entry.knob.section:
            yield from ([''] if index else [])
            yield from _wrapped(entry.knob.section, f'{_INDENT}# ')
        *groups, name = entry.name.split('.')
        yield from _group_lines(opened, tuple(groups))
        opened = tuple(groups)
        yield from _entry_lines(entry, name, _INDENT + '  ' * len(groups))


def _group_lines(opened: tuple[str, ...], groups: tuple[str, ...]) -> Iterator[str]:
    for depth, group in enumerate(groups):
        if opened[: depth + 1] != groups[: depth + 1]:
            yield f'{_INDENT}{"  " * depth}{group}:'


def _entry_lines(entry: Entry, name: str, indent: str) -> Iterator[str]:
    comment = _comment(entry)
    if isinstance(entry.value, Mapping):
        yield from _wrapped(comment, f'{indent}# ')
        yield f'{indent}{name}:'
        yield from (f'{indent}  {key}: {yaml_value(value)}' for key, value in entry.value.items())
        return
    line = f'{indent}{name}: {yaml_value(entry.value)}'
    if len(line) > _COLUMN - 2:
        yield from _wrapped(comment, f'{indent}# ')
        yield line
        return
    first, *others = _wrapped(comment, ' ' * _COLUMN + '# ')
    yield line.ljust(_COLUMN) + first.lstrip()
    yield from others


def _comment(entry: Entry) -> str:
    """Return unit, bounds and text, such as 'm, 0 .. 1: length of a candidate motion'."""
    knob = entry.knob
    facts = ', '.join(filter(None, (knob.unit, knob.bounds())))
    return f'{facts}: {knob.text}' if facts else knob.text


def _wrapped(text: str, prefix: str) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent=prefix, subsequent_indent=prefix, break_on_hyphens=False
    )


def yaml_value(value: Any) -> str:
    """Return a value so that the ROS parser gives it the same type back."""
    if isinstance(value, (tuple, list)):
        return f'[{", ".join(map(yaml_value, value))}]'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):  # a number for YAML needs its point: 1.0e-05
        return re.sub(r'^(-?\d+)e', r'\1.0e', repr(value))
    plain = re.fullmatch(r'[A-Za-z][\w/]*', value) and value.lower() not in _SPECIAL
    return value if plain else "'" + value.replace("'", "''") + "'"
