# SPDX-License-Identifier: Apache-2.0
"""Small YAML files, read strictly: what is missing, unknown, doubled or no number is named."""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from vidplan_core.errors import ConfigError


class _Loader(yaml.SafeLoader):
    """Refuses a key that is written twice, of which YAML would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        doubled = next((key for key in keys if keys.count(key) > 1), None)
        if doubled is not None:
            raise ConfigError(f'key {doubled!r} is written twice')
        return super().construct_mapping(node, deep)


class Section:
    """A mapping of a file; every error is a ConfigError that names the file and the key."""

    def __init__(self, values: Any, name: str) -> None:
        """Read from `values`, which must be a mapping; `name` is how errors call it."""
        if not isinstance(values, dict):
            raise ConfigError(f'{name} must hold keys and values, got {values!r}')
        self._values: dict[Any, Any] = values
        self.name = name

    @property
    def values(self) -> dict[Any, Any]:
        """What it holds, as it was read."""
        return self._values

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys, in the order of the file."""
        return tuple(self._values)

    def require_only(self, known: Collection[str]) -> None:
        """Raise for a key that is none of these, and name the nearest one."""
        for key in self._values:
            if key not in known:
                near = difflib.get_close_matches(str(key), known, 1)
                hint = f'did you mean {near[0]}?' if near else f'known are {", ".join(known)}'
                raise ConfigError(f'{self.name} has an unknown key {key!r}; {hint}')

    def __contains__(self, key: str) -> bool:
        return key in self._values

    @contextmanager
    def naming(self) -> Iterator[None]:
        """Put the name of this section before what a constructor finds wrong with its values."""
        try:
            yield
        except (ConfigError, ValueError) as error:
            raise ConfigError(f'{self.name}: {error}') from error

    def section(self, key: str) -> Section:
        """Return a mapping inside this one."""
        return Section(self._get(key), f'{self.name}: {key}')

    def text(self, key: str) -> str:
        """Return a string that is not empty."""
        value = self._get(key)
        if not isinstance(value, str) or not value:
            raise ConfigError(f'{self.name}: {key} must be a text, got {value!r}')
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of strings."""
        return tuple(Section({key: value}, self.name).text(key) for value in self._list(key))

    def number(self, key: str) -> float:
        """Return a finite number."""
        return self._number(key, self._get(key))

    def whole(self, key: str) -> int:
        """Return an integer."""
        value = self._get(key)
        if type(value) is not int:
            raise ConfigError(f'{self.name}: {key} must be a whole number, got {value!r}')
        return value

    def numbers(self, key: str, length: int) -> tuple[float, ...]:
        """Return a list of so many finite numbers."""
        return self._row(key, self._list(key), length)

    def rows(self, key: str, length: int) -> tuple[tuple[float, ...], ...]:
        """Return a list of lists of so many finite numbers each."""
        return tuple(self._row(key, row, length) for row in self._list(key))

    def _row(self, key: str, values: Any, length: int) -> tuple[float, ...]:
        if not isinstance(values, list) or len(values) != length:
            raise ConfigError(f'{self.name}: {key} must be {length} numbers, got {values!r}')
        return tuple(self._number(key, value) for value in values)

    def _number(self, key: str, value: Any) -> float:
        # bool is an int to Python; `1e-3` without a point is a text to YAML.
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ConfigError(f'{self.name}: {key} must be numbers, got {value!r}')
        if not math.isfinite(value):
            raise ConfigError(f'{self.name}: {key} must be finite, got {value}')
        return float(value)

    def _list(self, key: str) -> list[Any]:
        value = self._get(key)
        if not isinstance(value, list) or not value:
            raise ConfigError(f'{self.name}: {key} must be a list, got {value!r}')
        return value

    def _get(self, key: str) -> Any:
        if key not in self._values:
            raise ConfigError(f'{self.name} lacks {key}')
        return self._values[key]


def read_section(path: Path) -> Section:
    """Return what a YAML file holds; raises ConfigError when it cannot be read as a mapping."""
    try:
        values = yaml.load(path.read_text(encoding='utf-8'), _Loader)  # noqa: S506 - it is safe
    except OSError as error:
        raise ConfigError(f'{path} cannot be read: {error.strerror}') from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f'{path} is no YAML: {error}') from error
    except ConfigError as error:
        raise ConfigError(f'{path}: {error}') from error
    return Section(values, str(path))


def packaged(folder: str, name: str) -> Path:
    """Return a shipped file `config/<folder>/<name>.yaml`, or `name` itself where it is a path.

    Raises:
        ConfigError: a name, not a path, that no shipped file has.
    """
    if '/' in name or name.endswith(('.yaml', '.yml', '.json')):
        return Path(name)
    files = {path.stem: path for path in (_CONFIG / folder).glob('*.yaml')}
    if name not in files:
        raise ConfigError(
            f'no file {name!r} in config/{folder}: give one of {", ".join(sorted(files))}, or the '
            'path of a YAML file'
        )
    return files[name]


# A link to the top level's config, copied when the package is installed.
_CONFIG = Path(__file__).parent / 'config'
