# SPDX-License-Identifier: Apache-2.0
"""Settings whose fields are knobs of the core's kind, and beside them paths and required ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from typing import Any, TypeVar, get_type_hints

from vidplan_core.errors import ConfigError
from vidplan_core.knobs import Knob

T = TypeVar('T')

TEXT = 'text'


def required(text: str, *, choices: tuple[str, ...] = ()) -> Any:
    """A field that a preset or the command line must fill."""
    return field(metadata=asdict(Knob(text, choices=choices)))


def nested(make: Callable[[], T]) -> T:
    """A field that holds settings of its own; `make` gives their defaults."""
    return field(default_factory=make, metadata={'prefix': None})


@dataclass(frozen=True)
class Settings:
    """Base of settings, whose values are checked against their bounds when they are made."""

    def __post_init__(self) -> None:
        for one in fields(self):
            if TEXT in one.metadata:
                check(one.name, getattr(self, one.name), Knob(**one.metadata))


def check(name: str, value: object, knob: Knob) -> None:
    """Raise ConfigError, which names the field, for a value that is out of bounds.

    Bounds hold for every number of a tuple; None is allowed where the annotation says so.
    """
    for one in value if isinstance(value, tuple) else (value,):
        low = knob.low is None or one is None or one >= knob.low
        high = knob.high is None or one is None or one <= knob.high
        chosen = not knob.choices or one is None or one in knob.choices
        if not (low and high and chosen):
            raise ConfigError(f'{name} is {one!r}; allowed: {knob.bounds()} {knob.unit}'.rstrip())


@dataclass(frozen=True)
class Leaf:
    """A single value of settings that may be nested.

    name: with the names of the settings around it, `trainer.iterations`.
    kind: annotated type.
    default: or `MISSING`.
    """

    name: str
    kind: Any
    knob: Knob
    default: Any

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is MISSING


def leaves(kind: type[Settings]) -> dict[str, Leaf]:
    """Every value of settings by its dotted name, in the order of declaration."""
    return {leaf.name: leaf for leaf in _leaves(kind, '', None)}


def _leaves(kind: type[Settings], prefix: str, defaults: Settings | None) -> Iterator[Leaf]:
    hints = types_of(kind)
    for one in fields(kind):
        default = getattr(defaults, one.name) if defaults is not None else default_of(one)
        if TEXT in one.metadata:
            yield Leaf(prefix + one.name, hints[one.name], Knob(**one.metadata), default)
        else:
            yield from _leaves(hints[one.name], f'{prefix}{one.name}.', default)


def types_of(kind: type[Settings]) -> dict[str, Any]:
    """Types of the fields, evaluated."""
    return get_type_hints(kind)


def default_of(one: Field[Any]) -> Any:
    """Default of a field, or `MISSING`."""
    return one.default if one.default_factory is MISSING else one.default_factory()
