# SPDX-License-Identifier: Apache-2.0
"""Named settings in TOML files: one folder per command, one file per preset."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from vidplan_core.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = Path(__file__).parents[1] / 'presets'
SUFFIX = '.toml'


def presets_of(command: str) -> list[str]:
    """Names of the presets of a command."""
    folder = FOLDER / command.replace('-', '_').replace(' ', '/')
    return sorted(path.stem for path in folder.glob(f'*{SUFFIX}'))


def load_preset(command: str, name: str) -> dict[str, Any]:
    """Values of a preset, or of the TOML file that `name` is the path of.

    Raises:
        ConfigError: there is no such preset or file, or it is no TOML.
    """
    if name.endswith(SUFFIX):
        path = Path(name)
        if not path.is_file():
            raise ConfigError(f'there is no file {path}')
    else:
        known = presets_of(command)
        if name not in known:
            raise ConfigError(f"{command} has no preset '{name}'; there are: {', '.join(known)}")
        path = FOLDER / command.replace('-', '_').replace(' ', '/') / (name + SUFFIX)
    try:
        return tomllib.loads(path.read_text(encoding='utf-8'))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f'{path} is no TOML: {error}') from error
