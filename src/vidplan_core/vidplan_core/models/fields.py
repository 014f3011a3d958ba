# SPDX-License-Identifier: Apache-2.0
"""Whether what a file says of a model can be meant: kinds, finite numbers, ranges."""

from __future__ import annotations

import math
from types import UnionType
from typing import Any, Union, get_args, get_origin

from vidplan_core.errors import ModelError

#: No size of a model, and no number about one, is larger.
LARGEST = 1e6

_NAMES = {float: 'a number', int: 'a whole number', bool: 'true or false', str: 'words'}


def check_kind(name: str, kind: Any, value: Any) -> None:
    """Raise ModelError unless a value is of a kind, and its numbers are finite and no larger.

    Args:
        name: for the message.
        kind: annotation of a dataclass field; only numbers, words, tuples of them and what may be
            None are looked at.
        value: as json holds it, tuples for lists.
    """
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        if value is not None:
            for one in (one for one in inner if one is not type(None)):
                check_kind(name, one, value)
    elif origin is tuple:
        _check_tuple(name, inner, value)
    elif kind in _NAMES and not _is(kind, value):
        raise ModelError(f'{name} must be {_NAMES[kind]}, got {value!r}')
    elif kind in (int, float):
        require_range(name, value, -LARGEST, LARGEST)


def require_range(name: str, value: float, low: float, high: float) -> None:
    """Raise ModelError for a number outside low .. high, or none."""
    # Written so that NaN is refused.
    if not low <= value <= high:
        raise ModelError(f'{name} is {value}, allowed {low:g} .. {high:g}')


def require_ranges(config: Any, **ranges: tuple[float, float]) -> None:
    """Raise ModelError unless fields, or all numbers of a tuple, lie in their ranges."""
    for name, (low, high) in ranges.items():
        value = getattr(config, name)
        for one in value if isinstance(value, tuple) else (value,):
            require_range(f'{type(config).__name__}.{name}', one, low, high)


def _check_tuple(name: str, inner: tuple[Any, ...], value: Any) -> None:
    if not isinstance(value, tuple):
        raise ModelError(f'{name} must be a list, got {value!r}')
    if inner[1:] == (...,):
        inner = (inner[0],) * len(value)
    if len(inner) != len(value):
        raise ModelError(f'{name} needs {len(inner)} values, got {len(value)}')
    for index, (kind, one) in enumerate(zip(inner, value, strict=True)):
        check_kind(f'{name}[{index}]', kind, one)


def _is(kind: type, value: Any) -> bool:
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    return isinstance(value, (int, float) if kind is float else kind) and (
        not isinstance(value, float) or math.isfinite(value)
    )
