# SPDX-License-Identifier: Apache-2.0
"""The files in config/ say the defaults of the code, and nothing but them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('vidplan_msgs.msg', reason='needs the built workspace')

from vidplan.parameters.commented import FILES, file_text, yaml_value
from vidplan.parameters.files import read_blocks
from vidplan.parameters.nodes import NODES, node_entries

ALL = pytest.mark.parametrize('name', FILES)


@ALL
def test_file_of_the_repository_is_as_written(name: str, repository: Path) -> None:
    path = repository / 'config' / name
    assert path.read_text() == file_text(name), 'run `vidplan config --write`'


@ALL
def test_file_says_every_default(name: str, repository: Path) -> None:
    for block in read_blocks(repository / 'config' / name):
        wanted: dict[str, Any] = {}
        for entry in node_entries(block.node).values():
            value = list(entry.value) if isinstance(entry.value, tuple) else entry.value
            is_mapping = isinstance(value, Mapping)
            wanted |= (
                {f'{entry.name}.{key}': one for key, one in value.items()}
                if is_mapping
                else {entry.name: value}
            )
        assert block.values == wanted
        assert all(type(block.values[key]) is type(value) for key, value in wanted.items())


def test_every_node_stands_in_one_file() -> None:
    named = [node for _, nodes in FILES.values() for node in nodes]
    assert sorted(named) == sorted(NODES)


@ALL
def test_every_value_has_a_comment(name: str) -> None:
    lines = file_text(name).splitlines()
    for above, line in zip(lines, lines[1:]):
        if re.match(r' {4}\w+:', line):
            assert '#' in line or above.lstrip().startswith('#'), line
        assert len(line) <= 99


@pytest.mark.parametrize(
    'value',
    ['', 'cpu', 'true', 'No', '3', "it's", 'a/b_c', 'a: b', 1e-05, 0.5, 3, True, ['x', '1']],
)
def test_values_keep_their_types(value: Any) -> None:
    read = yaml.safe_load(yaml_value(value))
    assert read == value
    assert type(read) is type(value)
