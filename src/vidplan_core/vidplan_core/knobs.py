# SPDX-License-Identifier: Apache-2.0
"""A knob is declared once: default, text, unit and bounds stand in one dataclass field.

Each field is `rate_hz: float = knob(10.0, 'rate of the output', unit='Hz', low=0.1, high=100.0)`,
and `__post_init__` calls `check_knobs(self)`. Whatever else shows or takes knobs (ROS parameters,
commented YAML, pages) is derived from the fields. A dataclass of knobs within another one is a
`knob_group`; a knob whose default is a mapping has one value for each of an open set of names.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from vidplan_core.errors import ConfigError

T = TypeVar('T')

_TYPES = {bool: 'true or false', int: 'an integer', float: 'a number', str: 'a string'}


@dataclass(frozen=True)
class Knob:
    """What a knob means and may be.

    Attributes:
        text: what it does, one phrase in lower case, without its unit.
        unit: such as 'm' or 'rad/s'; '' without one.
        low: smallest value; of lists and mappings, of each element.
        high: largest value, likewise.
        choices: the only values, if any are named; likewise.
        length: number of elements of a list; None for any.
        empty: whether a list may be empty.
        mutable: whether it may change while a node runs.
        section: heading that stands before it in a commented file; '' for none.
    """

    text: str
    unit: str = ''
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    length: int | None = None
    empty: bool = True
    mutable: bool = False
    section: str = ''

    def bounds(self) -> str:
        """Say which values are allowed, such as '0 .. 1'; '' for any."""
        if self.choices:
            return ', '.join(self.choices)
        if self.low is None and self.high is None:
            return ''
        low, high = _number(self.low), _number(self.high)
        if self.high is None:
            return f'from {low}'
        return f'up to {high}' if self.low is None else f'{low} .. {high}'

    def allowed(self, default: object) -> str:
        """Say what is allowed instead of a wrong value; the type is that of the default."""
        limits = f'{self.bounds()} {self.unit}'.strip() if self.bounds() else ''
        limits = f'one of {limits}' if self.choices else limits
        if type(default) is int:  # 2.5 lies between 1 and 8, too
            limits = ', '.join(filter(None, (_TYPES[int], limits)))
        if not isinstance(default, (tuple, Mapping)):
            return limits or _TYPES[type(default)]
        elements = default.values() if isinstance(default, Mapping) else default
        form = 'a mapping' if isinstance(default, Mapping) else 'a list'
        count = f', {self.length} of them' if self.length else '' if self.empty else ', at least 1'
        return f'{form}, each {limits or _TYPES[type(next(iter(elements), ""))]}{count}'


@dataclass(frozen=True)
class Entry:
    """A knob of a configuration: its full name, what it may be, and its value there."""

    name: str
    knob: Knob
    value: Any


def knob(default: Any, text: str, **limits: Any) -> Any:
    """Return a dataclass field that is a knob; `limits` are the other attributes of Knob."""
    metadata = dataclasses.asdict(Knob(text, **limits))
    if isinstance(default, Mapping):
        return dataclasses.field(default_factory=lambda: dict(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def knob_group(kind: type[T], prefix: str | None = None) -> Any:
    """Return a field that holds a dataclass of knobs.

    Args:
        kind: the dataclass; its defaults are the field's.
        prefix: before the names of its knobs; None for the field's name and a dot.
    """
    return dataclasses.field(default_factory=kind, metadata={'prefix': prefix})


def entries(config: Any, prefix: str = '') -> Iterator[Entry]:
    """Yield the knobs of a configuration in the order of their fields, those of groups too."""
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if 'prefix' in field.metadata:
            yield from entries(value, prefix + _group_prefix(field))
        elif 'text' in field.metadata:
            yield Entry(prefix + field.name, Knob(**field.metadata), value)


def with_values(config: T, values: Mapping[str, Any], prefix: str = '') -> T:
    """Return the configuration with other values, by full name; those not named stay.

    Of a mapping, too, the names that are not given keep their values.

    Raises:
        ConfigError: a value that is not allowed.
    """
    changed = {}
    for field in dataclasses.fields(config):  # type: ignore[arg-type]
        value = getattr(config, field.name)
        if 'prefix' in field.metadata:
            changed[field.name] = with_values(value, values, prefix + _group_prefix(field))
        elif prefix + field.name in values:
            new = values[prefix + field.name]
            both = isinstance(value, Mapping) and isinstance(new, Mapping)
            changed[field.name] = {**value, **new} if both else new
    return dataclasses.replace(config, **changed)  # type: ignore[type-var]


def check_knobs(config: Any) -> None:
    """Check a configuration's own knobs; groups have checked themselves.

    Raises:
        ConfigError: names field, value and what is allowed.
    """
    for field in dataclasses.fields(config):
        if 'text' in field.metadata:
            value, default = getattr(config, field.name), _default(field)
            allowed_value(field.name, value, default, Knob(**field.metadata))


def allowed_value(name: str, value: Any, default: Any, knob: Knob) -> Any:
    """Return the value in the type of its default: integers as floats, lists as tuples.

    Raises:
        ConfigError: another type, out of bounds or not finite.
    """
    if isinstance(default, Mapping):
        return _mapping(name, value, default, knob)
    if isinstance(default, tuple):
        return _list(name, value, default, knob)
    return _element(name, value, default, knob)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the known name that is most like a wrong one, '' if none is known."""
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.0)
    return found[0] if found else ''


def _mapping(name: str, value: Any, default: Mapping[str, Any], knob: Knob) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise _wrong(name, value, default, knob)
    first = next(iter(default.values()), 0.0)
    return {key: _element(f'{name}.{key}', one, first, knob) for key, one in value.items()}


def _list(name: str, value: Any, default: tuple[Any, ...], knob: Knob) -> tuple[Any, ...]:
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise _wrong(name, value, default, knob)
    try:
        values = tuple(_element(name, one, next(iter(default), ''), knob) for one in value)
    except ConfigError:
        raise _wrong(name, list(value), default, knob) from None
    if knob.length not in (None, len(values)) or not (values or knob.empty):
        raise _wrong(name, list(values), default, knob)
    return values


def _element(name: str, value: Any, default: Any, knob: Knob) -> Any:
    # `rate: 10` in YAML is an integer; people mean 10.0.
    if type(default) is float and type(value) is int:
        value = float(value)
    # A bool is an int to Python, but not to people.
    flags = isinstance(value, bool), isinstance(default, bool)
    if not isinstance(value, type(default)) or flags[0] != flags[1]:
        raise _wrong(name, value, default, knob)
    finite = not isinstance(value, float) or math.isfinite(value)
    high_enough = knob.low is None or value >= knob.low
    low_enough = knob.high is None or value <= knob.high
    if not (finite and high_enough and low_enough and (not knob.choices or value in knob.choices)):
        raise _wrong(name, value, default, knob)
    return value


def _wrong(name: str, value: Any, default: Any, knob: Knob) -> ConfigError:
    return ConfigError(f'{name} is {value!r}; allowed: {knob.allowed(default)}')


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _number(value: float | None) -> str:
    return f'{value:g}' if isinstance(value, float) else str(value)


def _group_prefix(field: dataclasses.Field[Any]) -> str:
    prefix: str | None = field.metadata['prefix']
    return f'{field.name}.' if prefix is None else prefix
