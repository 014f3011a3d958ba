# SPDX-License-Identifier: Apache-2.0
"""The source files of all packages."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Package name and the folder of its modules.
PACKAGES = {
    'vidplan_core': ROOT / 'src/vidplan_core/vidplan_core',
    'vidplan_sim': ROOT / 'src/vidplan_sim/vidplan_sim',
    'vidplan_eval': ROOT / 'src/vidplan_eval/vidplan_eval',
    'vidplan': ROOT / 'src/vidplan/vidplan',
    'vidplan_training': ROOT / 'training/vidplan_training',
}
FOLDERS = tuple(PACKAGES.values())


def source_files() -> list[Path]:
    """Every module of every package."""
    return [path for folder in FOLDERS for path in sorted(folder.rglob('*.py'))]


def parse(path: Path) -> ast.Module:
    """Syntax tree of a file."""
    return ast.parse(path.read_text(encoding='utf-8'))
