# SPDX-License-Identifier: Apache-2.0
"""The checks of imports find what they are there to find, in small trees made for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.structure.import_graph import Graph, cycles, import_graph, room_circles, rooms, upward

LEVELS = (('low',), ('middle', 'beside'), ('high',))


def tree(folder: Path, files: Mapping[str, str]) -> Graph:
    """Import graph of a package `house` with these files."""
    for name, text in files.items():
        path = folder / 'house' / name
        for parent in (path.parent, *path.parent.parents):
            if parent == folder:
                break
            parent.mkdir(parents=True, exist_ok=True)
            (parent / '__init__.py').touch()
        path.write_text(text)
    return import_graph({'house': folder / 'house'})


HIDDEN = {
    'at the top': 'from house.low.b import f\n',
    'as a module': 'import house.low.b\n',
    'by the folder': 'from house.low import b\n',
    'in a function': 'def g():\n    from house.low.b import f\n    return f\n',
    'for types': 'from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n'
    '    from house.low.b import f\n',
}


@pytest.mark.parametrize('text', HIDDEN.values(), ids=HIDDEN)
def test_a_circle_of_modules_is_found_wherever_it_is_closed(tmp_path: Path, text: str) -> None:
    graph = tree(tmp_path, {'low/a.py': text, 'low/b.py': 'from house.low.a import g\n'})
    assert cycles(graph) == [['house.low.a', 'house.low.b']]
    assert room_circles(graph)[0].startswith('house.low.a <-> house.low.b: ')


def test_a_circle_over_three_modules_is_one_circle(tmp_path: Path) -> None:
    files = {
        'a.py': 'import house.b',
        'b.py': 'import house.c\nimport house.d',
        'c.py': 'import house.a',
        'd.py': '',
    }
    assert cycles(tree(tmp_path, files)) == [['house.a', 'house.b', 'house.c']]


def test_a_circle_of_rooms_is_found_where_no_module_is_in_one(tmp_path: Path) -> None:
    files = {
        'low/a.py': 'from house.high.c import f',
        'low/b.py': '',
        'high/c.py': '',
        'high/d.py': 'from house.low.b import g',
    }
    graph = tree(tmp_path, files)
    assert not cycles(graph)
    (found,) = room_circles(graph)
    assert 'house.low.a imports house.high.c' in found
    assert 'house.high.d imports house.low.b' in found


def test_a_circle_of_rooms_within_a_room_is_found(tmp_path: Path) -> None:
    files = {
        'low/left/a.py': 'import house.low.right.c',
        'low/left/b.py': '',
        'low/right/c.py': '',
        'low/right/d.py': 'import house.low.left.b',
    }
    (found,) = room_circles(tree(tmp_path, files))
    assert found.startswith('house.low.left <-> house.low.right: ')


def test_an_arrow_up_or_to_the_side_is_found(tmp_path: Path) -> None:
    files = {
        'low/a.py': '',
        'middle/b.py': 'from house.high.d import f\nfrom house.low.a import g',
        'beside/c.py': 'from house.middle import b',
        'high/d.py': 'from house.low.a import g',
    }
    graph = tree(tmp_path, files)
    assert not room_circles(graph)
    assert upward(graph, 'house', LEVELS) == [
        'house.beside.c imports house.middle.b',
        'house.middle.b imports house.high.d',
    ]


def test_a_room_without_a_level_is_named(tmp_path: Path) -> None:
    graph = tree(tmp_path, {'low/a.py': '', 'attic.py': 'from house.low.a import f'})
    assert upward(graph, 'house', LEVELS) == [
        'house.attic has no level: give it one in LEVELS'
    ]


def test_a_tidy_tree_passes(tmp_path: Path) -> None:
    files = {
        'low/a.py': 'import numpy',
        'middle/b.py': 'from house.low.a import f',
        'high/c.py': 'from house.middle.b import f\nfrom house.low import a',
    }
    graph = tree(tmp_path, files)
    assert rooms(graph, 'house')['house.high'] == {'house.middle', 'house.low'}
    assert not cycles(graph)
    assert not room_circles(graph)
    assert not upward(graph, 'house', LEVELS)
