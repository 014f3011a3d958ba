# SPDX-License-Identifier: Apache-2.0
"""Values of settings as their annotations want them, from TOML or from words."""

from __future__ import annotations

from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from vidplan_core.errors import ConfigError

NAMES = {
    bool: 'true or false',
    int: 'a whole number',
    float: 'a number',
    str: 'text',
    Path: 'a path',
}
PLURALS = {bool: 'booleans', int: 'whole numbers', float: 'numbers', str: 'words', Path: 'paths'}
BOOLEANS = {'true': True, 'false': False}


def from_toml(name: str, value: object, kind: Any) -> Any:
    """A value of a TOML file; raises ConfigError, which names the field, for another type."""
    kind = without_none(kind)
    if get_origin(kind) is tuple:
        if not isinstance(value, list) or not _fits(len(value), kind):
            raise _wrong(name, value, kind)
        return tuple(from_toml(name, v, k) for v, k in zip(value, _kinds(kind, len(value))))
    if kind is Path and isinstance(value, str):
        return Path(value)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise _wrong(name, value, kind)
    return value


def from_text(name: str, text: str, kind: Any) -> Any:
    """A value as typed: lists with commas between; nothing for None, where that is allowed.

    Raises ConfigError, which names the field, for text that does not say such a value.
    """
    if text == '' and optional(kind):
        return None
    kind = without_none(kind)
    if get_origin(kind) is tuple:
        parts = text.strip('[]()').replace(',', ' ').split()
        if not parts or not _fits(len(parts), kind):
            raise _wrong(name, text, kind)
        return tuple(from_text(name, v, k) for v, k in zip(parts, _kinds(kind, len(parts))))
    try:
        return BOOLEANS[text.lower()] if kind is bool else kind(text)
    except (KeyError, ValueError):
        raise _wrong(name, text, kind) from None


def optional(kind: Any) -> bool:
    """Whether an annotation allows None."""
    return get_origin(kind) in (Union, UnionType) and NoneType in get_args(kind)


def without_none(kind: Any) -> Any:
    """The annotation of what is not None."""
    if not optional(kind):
        return kind
    (rest,) = (argument for argument in get_args(kind) if argument is not NoneType)
    return rest


def described(kind: Any) -> str:
    """What an annotation asks for, in words."""
    kind = without_none(kind)
    if get_origin(kind) is not tuple:
        return NAMES[kind]
    first, *rest = get_args(kind)
    count = 'a list of' if rest == [...] else str(1 + len(rest))
    return f'{count} {PLURALS[first]}'


def _fits(count: int, kind: Any) -> bool:
    wanted = get_args(kind)
    return wanted[-1] is ... or count == len(wanted)  # whether none is enough, its knob says


def _kinds(kind: Any, count: int) -> tuple[Any, ...]:
    wanted = get_args(kind)
    return wanted[:1] * count if wanted[-1] is ... else wanted


def _wrong(name: str, value: object, kind: Any) -> ConfigError:
    return ConfigError(f'{name} must be {described(kind)}, not {value!r}')
