# SPDX-License-Identifier: Apache-2.0
"""docs/safety.md: which fault is noticed when, what the arm does, and which tests show it."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from tests.faults.measured import MEASURED
from tests.faults.rows import ROWS, Fault

_HEAD = """# Faults, and what the arm does

Written by `scripts/write_docs.py`. The last column names the tests that show a row, in `tests/`;
`python -m pytest -m fault` runs all of them. Bounds are those of the default parameters. Braking
then takes 0.1 to 0.3 s. Tests that need messages of ros2_controllers or Franka are left out where
these are not installed. Rearming is `ros2 service call /adapter/rearm std_srvs/srv/Trigger`, after
somebody has looked.

No software here is a safety function: keep a hand on the emergency stop.
"""

_COLUMNS = '| what goes wrong | noticed | the arm | named | tests |\n' + 5 * '| --- ' + '|'


def marked_tests(tests: Path) -> dict[str, list[str]]:
    """Return `file.py::test` by the name of the fault that they show, of a folder of tests.

    Raises:
        KeyError: a mark that names no row.
    """
    known = [fault.name for rows in ROWS.values() for fault in rows]
    found = defaultdict(list)
    for path in sorted(tests.rglob('test_*.py')):
        for name, test in _marks(path):
            if name not in known:
                nearest = ''.join(get_close_matches(name, known, 1)) or known
                raise KeyError(f'{path.name}::{test} shows {name!r}; is {nearest} meant?')
            found[name].append(f'{path.relative_to(tests)}::{test}')
    return found


def _marks(path: Path) -> Iterator[tuple[str, str]]:
    """Names of faults and of the tests that are marked with them."""
    for function in ast.parse(path.read_text(encoding='utf-8')).body:
        if not isinstance(function, ast.FunctionDef):
            continue
        for node in (n for mark in function.decorator_list for n in ast.walk(mark)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == 'pytest.mark.fault':
                for argument in node.args:
                    yield ast.literal_eval(argument), function.name


def page(tests: Path) -> str:
    """Return the page."""
    shown = marked_tests(tests)
    parts = [_HEAD]
    for title, rows in ROWS.items():
        lines = [_row(fault, shown.get(fault.name, [])) for fault in rows]
        parts.append('\n'.join([f'## {title}\n', _COLUMNS, *lines, '']))
    return '\n'.join([*parts, MEASURED])


def _row(fault: Fault, tests: list[str]) -> str:
    names = '<br>'.join(f'`{test.rpartition("/")[2]}`' for test in tests) or '**none**'
    errors = ', '.join(
        f'`{error}`' if error.isupper() else error for error in fault.error.split(', ')
    )
    return f'| {fault.what} | {fault.bound} | {fault.arm} | {errors} | {names} |'
