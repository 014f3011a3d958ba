# SPDX-License-Identifier: Apache-2.0
"""A class name means one thing in the whole tree."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

from tests.structure.tree import parse, source_files

# Names that may stand for several classes, each with the reason.
EXCEPTIONS: dict[str, str] = {}


def repeated(paths: Iterable[Path]) -> dict[str, list[str]]:
    """Names that more than one class has, with the files and lines of all of them."""
    found: dict[str, list[str]] = {}
    for path in paths:
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(f'{path}:{node.lineno}')
    return {name: places for name, places in found.items() if len(places) > 1}


def test_class_names_are_unique() -> None:
    found = repeated(source_files())
    assert not {name: places for name, places in found.items() if name not in EXCEPTIONS}


def test_exceptions_are_needed() -> None:
    assert not set(EXCEPTIONS) - set(repeated(source_files()))


def test_a_repeated_name_would_be_found(tmp_path: Path) -> None:
    (tmp_path / 'a.py').write_text('class Judge: ...\n\n\nclass Other: ...\n')
    (tmp_path / 'b.py').write_text('def f():\n    class Judge: ...\n')
    found = repeated(sorted(tmp_path.iterdir()))
    assert {name: len(places) for name, places in found.items()} == {'Judge': 2}
