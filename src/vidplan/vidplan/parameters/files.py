# SPDX-License-Identifier: Apache-2.0
"""What a parameter file says, and whether some node knows each word of it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidplan.parameters.nodes import (
    NODES,
    is_known,
    knob_entry,
    node_entries,
    parameter_names,
)
from vidplan_core.errors import ConfigError
from vidplan_core.knobs import allowed_value, nearest
from vidplan_core.strict_yaml import read_section

_PARAMETERS = 'ros__parameters'


@dataclass(frozen=True)
class Block:
    """What a file says about the nodes that a pattern such as `/**/planner` means.

    Attributes:
        pattern: of the nodes' full names.
        values: by the parameters' full names.
    """

    pattern: str
    values: Mapping[str, Any]

    @property
    def node(self) -> str:
        """The node's own name, '' for a pattern of many names."""
        last = self.pattern.rpartition('/')[2]
        return '' if '*' in last else last

    def means(self, full_name: str) -> bool:
        """Return whether the block is for a node, such as `/arm1/planner`; as ROS decides it."""
        rules = {'/**': r'(/\w+)*', '/*': r'/\w+', '*': r'\w*'}
        parts = re.split(r'(/\*\*|/\*|\*)', self.pattern)
        regex = ''.join(rules.get(part, re.escape(part)) for part in parts)
        return re.fullmatch(regex, full_name) is not None


def read_blocks(path: Path) -> list[Block]:
    """Read a parameter file.

    Raises:
        ConfigError: it is not there, or not of the form that ROS takes; names the file.
    """
    return list(_blocks(path, read_section(path).values, ''))


def check_file(path: Path) -> list[Block]:
    """Return what a parameter file says, every name known and every value allowed.

    Raises:
        ConfigError: names the file, the wrong word and the nearest right one.
    """
    blocks = read_blocks(path)
    for block in blocks:
        try:
            _check(block)
        except ConfigError as error:
            raise ConfigError(f'{path}: {error}') from None
    return blocks


def check_arguments(words: Sequence[str] | None = None) -> None:
    """Check the parameter files and parameters that a node's command line names.

    Args:
        words: of the command line; None for this process's own.

    Raises:
        ConfigError: as `check_file`.
    """
    given = sys.argv[1:] if words is None else list(words)
    for option, value in zip(given, given[1:]):
        if option == '--params-file':
            check_file(Path(value))
        elif option in ('-p', '--param'):
            check_name(_parameter_of(value), list(NODES))


def check_name(name: str, nodes: list[str]) -> None:
    """Check that one of the nodes has a parameter of this name.

    Raises:
        ConfigError: names the nearest one.
    """
    if any(is_known(name, node) for node in nodes):
        return
    known = [one for node in nodes for one in parameter_names(node)]
    who = f'the node {nodes[0]} has' if len(nodes) == 1 else 'no node has'
    no = 'no ' if len(nodes) == 1 else 'a '
    raise ConfigError(f"{who} {no}parameter '{name}'; did you mean '{nearest(name, known)}'?")


def _parameter_of(rule: str) -> str:
    """Return the name in `name:=value` or `node:name:=value`; a name may have a colon, too."""
    name = rule.partition(':=')[0]
    node, _, rest = name.partition(':')
    return rest if rest and '.' not in node else name


def _check(block: Block) -> None:
    kinds = list(NODES)
    if block.node and block.node not in kinds:
        raise ConfigError(
            f"no node is called '{block.node}' ({block.pattern}); did you mean "
            f"'{nearest(block.node, kinds)}'? There are {', '.join(kinds)}"
        )
    nodes = [block.node] if block.node else kinds
    for name, value in block.values.items():
        check_name(name, nodes)
        if block.node:
            _check_value(name, value, block.node)


def _check_value(name: str, value: Any, node: str) -> None:
    entry = knob_entry(name, node)
    if entry is None:
        return
    default = entry.value
    if name not in node_entries(node):  # one element of a mapping
        default = next(iter(default.values()), 0.0)
    allowed_value(name, value, default, entry.knob)


def _blocks(path: Path, content: Any, prefix: str) -> Iterator[Block]:
    if not isinstance(content, Mapping):
        raise ConfigError(
            f"{path}: '{prefix or content}' has no block of parameters; write <node>: "
            f'{_PARAMETERS}: <name>: <value>'
        )
    for key, value in content.items():
        if key == _PARAMETERS and isinstance(value or {}, Mapping):
            yield Block(prefix, dict(_flat(value or {}, '')))
        else:
            name = str(key)
            yield from _blocks(path, value, name if name[:1] == '/' else f'{prefix}/{name}')


def _flat(values: Mapping[Any, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f'{prefix}{key}.')
        else:
            yield f'{prefix}{key}', value
