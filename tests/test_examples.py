# SPDX-License-Identifier: Apache-2.0
"""The examples run as they are printed, and only the core is needed for the first three."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / 'examples'
SCRIPTS = sorted(EXAMPLES.glob('0*.py'))
CORE_ONLY = [path for path in SCRIPTS if path.name < '04']


def test_examples_are_numbered_from_one() -> None:
    assert [int(path.name[:2]) for path in SCRIPTS] == list(range(1, len(SCRIPTS) + 1))


@pytest.mark.parametrize('script', SCRIPTS, ids=lambda path: path.stem)
def test_an_example_runs(script: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize('script', CORE_ONLY, ids=lambda path: path.stem)
def test_an_example_needs_the_core_only(script: Path) -> None:
    for path in (script, EXAMPLES / 'scene' / 'load.py'):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or '').startswith('vidplan'):
                assert node.module.partition('.')[0] == 'vidplan_core', path
