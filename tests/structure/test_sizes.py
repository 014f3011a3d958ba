# SPDX-License-Identifier: Apache-2.0
"""Functions, files and folders stay as short as they are: a reader sees one at a glance."""

from __future__ import annotations

import ast
from pathlib import Path
from statistics import median

import pytest

from tests.structure.tree import FOLDERS, parse, source_files

LONGEST_FUNCTION, MEDIAN_FUNCTION = 48, 8  # lines, the docstring included
LONGEST_FILE, MEDIAN_FILE = 300, 120
MOST_ENTRIES = 14  # modules and folders side by side, __init__ left out


def function_lengths(path: Path) -> dict[str, int]:
    """Lines of every function of a file, decorators left out, by name and place."""
    return {
        f'{path}:{node.lineno} {node.name}': (node.end_lineno or node.lineno) - node.lineno + 1
        for node in ast.walk(parse(path))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }


def entries(folder: Path) -> list[Path]:
    """What a reader of a folder has to choose from."""
    return [
        path
        for path in folder.iterdir()
        if (path.suffix == '.py' and path.stem != '__init__')
        or (path.is_dir() and any(path.rglob('*.py')))
    ]


def test_functions_are_short() -> None:
    lengths = {k: n for path in source_files() for k, n in function_lengths(path).items()}
    assert not {name: n for name, n in lengths.items() if n > LONGEST_FUNCTION}
    assert median(lengths.values()) <= MEDIAN_FUNCTION


def test_files_are_short() -> None:
    lengths = {path: len(path.read_text(encoding='utf-8').splitlines()) for path in source_files()}
    assert not {str(path): n for path, n in lengths.items() if n > LONGEST_FILE}
    assert median(lengths.values()) <= MEDIAN_FILE


def test_folders_hold_about_a_dozen_things() -> None:
    folders = {path.parent for path in source_files()}
    counts = {str(folder): len(entries(folder)) for folder in folders}
    assert not {name: count for name, count in counts.items() if count > MOST_ENTRIES}


@pytest.mark.parametrize('folder', FOLDERS, ids=lambda folder: folder.name)
def test_every_folder_of_sources_is_measured(folder: Path) -> None:
    assert any(path.is_relative_to(folder) for path in source_files())


def test_a_long_function_would_be_found(tmp_path: Path) -> None:
    path = tmp_path / 'long.py'
    path.write_text('@property\ndef f():\n' + '    pass\n' * 60 + '\n\ndef g(): ...\n')
    assert list(function_lengths(path).values()) == [61, 1]


def test_a_full_folder_would_be_found(tmp_path: Path) -> None:
    for name in ('__init__.py', 'a.py', 'notes.md', 'inner/b.py'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / 'data').mkdir()
    assert sorted(path.name for path in entries(tmp_path)) == ['a.py', 'inner']
