# SPDX-License-Identifier: Apache-2.0
"""Settings from their defaults, a preset and what the command line overrides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, TypeVar

from vidplan_core.errors import ConfigError
from vidplan_core.knobs import nearest
from vidplan_training.settings.knobs import (
    TEXT,
    Leaf,
    Settings,
    check,
    default_of,
    leaves,
    types_of,
)
from vidplan_training.settings.values import from_text, from_toml

S = TypeVar('S', bound=Settings)


def resolve(kind: type[S], preset: Mapping[str, Any], overrides: Mapping[str, Any]) -> S:
    """Settings of a kind.

    Args:
        kind: what to make.
        preset: values as TOML has them, tables for nested settings.
        overrides: values of the right types by dotted name; they win.

    Raises:
        ConfigError: a name is unknown, a value of another type or out of bounds, or something
            required is missing.
    """
    known = leaves(kind)
    values = {}
    for name, value in _flat(preset):
        values[name] = from_toml(name, value, leaf_named(known, name).kind)
    values |= overrides
    missing = [leaf for leaf in known.values() if leaf.required and leaf.name not in values]
    if missing:
        wanted = ', '.join(f'{leaf.name} ({leaf.knob.text})' for leaf in missing)
        raise ConfigError(f'still to be said: {wanted}')
    for name, value in values.items():
        # Here, so that an error has the whole name; the settings themselves know only the last.
        check(name, value, known[name].knob)
    return _build(kind, values, '')


def assignments(kind: type[Settings], words: Sequence[str]) -> dict[str, Any]:
    """Values by dotted name of words like `trainer.iterations=100`."""
    known, values = leaves(kind), {}
    for word in words:
        name, equals, text = word.partition('=')
        if not equals:
            raise ConfigError(f"'{word}' sets nothing: write field=value")
        values[name] = from_text(name, text, leaf_named(known, name).kind)
    return values


def leaf_named(known: Mapping[str, Leaf], name: str) -> Leaf:
    """One of the known values; raises ConfigError, which has the nearest name, for another."""
    if name in known:
        return known[name]
    raise ConfigError(f"unknown field '{name}'; the nearest is '{nearest_named(name, known)}'")


def nearest_named(name: str, known: Iterable[str]) -> str:
    """The known name that ends like a wrong one, or else is most like it."""
    names = list(known)
    ends = [full for full in names if full.rpartition('.')[2] == name.rpartition('.')[2]]
    return ends[0] if ends else nearest(name, names)


def _flat(table: Mapping[str, Any], prefix: str = '') -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f'{prefix}{name}.')
        else:
            yield prefix + name, value


def _build(kind: type[S], values: Mapping[str, Any], prefix: str, base: S | None = None) -> S:
    hints, given = types_of(kind), {}
    for one in fields(kind):
        name = prefix + one.name
        if TEXT not in one.metadata:
            inner = default_of(one) if base is None else getattr(base, one.name)
            given[one.name] = _build(hints[one.name], values, f'{name}.', inner)
        elif name in values:
            given[one.name] = values[name]
        elif base is not None:
            given[one.name] = getattr(base, one.name)
    return kind(**given)
