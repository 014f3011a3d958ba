# SPDX-License-Identifier: Apache-2.0
"""Where results go, and how they were made: beside every model the settings that made it."""

from __future__ import annotations

import json
from pathlib import Path

from vidplan_core.errors import ConfigError
from vidplan_core.models.manifest import MANIFEST
from vidplan_training.settings.knobs import Settings, leaves

RECORD = 'recipe.toml'
SOURCES = Path(__file__).resolve().parents[3]


def check_not_shipped(out: Path) -> None:
    """Raise ConfigError for a place within models that are shipped.

    Those are what is with the sources, and every folder with a manifest, wherever it is.
    """
    place = out.resolve()
    shipped = place.is_relative_to((SOURCES / 'models').resolve())
    if shipped or any((folder / MANIFEST).is_file() for folder in (place, *place.parents)):
        raise ConfigError(
            f'{out} is among the shipped models; choose another out, or add '
            '--overwrite-shipped to replace them'
        )


def record(command: str, settings: Settings, folder: Path) -> None:
    """Write settings as a file that `--preset` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / RECORD
    path.write_text(
        f'# To repeat: vidplan-train {command} --preset {RECORD}\n{to_toml(settings)}',
        encoding='utf-8',
    )


def to_toml(settings: Settings) -> str:
    """Every value that is not None; a table for each of the nested settings."""
    tables: dict[str, list[str]] = {'': []}
    for name in leaves(type(settings)):
        *path, last = name.split('.')
        value: object = settings
        for part in (*path, last):
            value = getattr(value, part)
        if value is not None:
            tables.setdefault('.'.join(path), []).append(f'{last} = {_literal(value)}')
    return '\n'.join(
        '\n'.join(([f'[{table}]'] if table else []) + lines) + '\n'
        for table, lines in tables.items()
    )


def _literal(value: object) -> str:
    if isinstance(value, tuple):
        return f'[{", ".join(_literal(one) for one in value)}]'
    if isinstance(value, Path):
        return json.dumps(str(value))
    # JSON writes strings, booleans and finite numbers as TOML does, but for one character.
    return json.dumps(value, ensure_ascii=False).replace('\x7f', '\\u007f')
