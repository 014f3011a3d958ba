# SPDX-License-Identifier: Apache-2.0
"""ROS parameters from a dataclass of knobs: names, descriptions, ranges and values."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.parameter import Parameter

from vidplan_core.errors import ConfigError
from vidplan_core.knobs import Entry, Knob, allowed_value, entries, with_values

T = TypeVar('T')

def declare(node: Node, kind: type[T]) -> T:
    """Declare every knob of the dataclass on the node and return the values of this start.

    Knobs of groups have dotted names, and so have the elements of mappings; a mapping takes every
    name that an override gives it.

    Raises:
        ConfigError: a value that is not allowed; names node, parameter, value and what is.
    """
    start = kind()
    try:
        values = {entry.name: _declare(node, entry) for entry in entries(start)}
        return with_values(start, values)
    except ConfigError as error:
        raise ConfigError(f'{node.get_name()}: {error}') from error


def follow(node: Node, current: T, on_change: Callable[[T], None]) -> None:
    """Call `on_change` with new parameters whenever a mutable one is set to an allowed value."""
    defaults = {name: default for entry in entries(current) for name, default in _leaves(entry)}
    state = current

    def on_set(changes: list[Parameter]) -> SetParametersResult:
        nonlocal state
        ours = {change.name: change.value for change in changes if change.name in defaults}
        try:
            changed = with_values(state, _typed(state, ours))
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        if ours:
            state = changed
            on_change(changed)
        return SetParametersResult(successful=True)

    node.add_on_set_parameters_callback(on_set)


def _declare(node: Node, entry: Entry) -> Any:
    if not isinstance(entry.value, Mapping):
        return _declare_one(node, entry.name, entry.value, entry.knob)
    leaves = dict(_leaves(entry))
    first = next(iter(leaves.values()), 0.0)
    given = (name for name in node._parameter_overrides if name.startswith(f'{entry.name}.'))
    leaves |= {name: first for name in given if name not in leaves}
    return {
        name.removeprefix(f'{entry.name}.'): _declare_one(node, name, default, entry.knob)
        for name, default in leaves.items()
    }


def _declare_one(node: Node, name: str, default: Any, knob: Knob) -> Any:
    override = node._parameter_overrides.get(name)
    if override is not None:  # before ROS says it in its own words
        allowed_value(name, override.value, default, knob)
    plain = list(default) if isinstance(default, tuple) else default
    try:
        value = node.declare_parameter(name, plain, _descriptor(knob, default)).value
    except ParameterException as error:
        raise ConfigError(f'{name}: {error}; allowed: {knob.allowed(default)}') from error
    return allowed_value(name, value, default, knob)


def _leaves(entry: Entry) -> Iterator[tuple[str, Any]]:
    if isinstance(entry.value, Mapping):
        yield from ((f'{entry.name}.{key}', value) for key, value in entry.value.items())
    else:
        yield entry.name, entry.value


def _typed(state: Any, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changes by the names of knobs, in the types of their present values."""
    typed: dict[str, Any] = {}
    for entry in entries(state):
        found = {name: changes[name] for name, _ in _leaves(entry) if name in changes}
        if isinstance(entry.value, Mapping) and found:
            prefix = f'{entry.name}.'
            changed = {name.removeprefix(prefix): value for name, value in found.items()}
            found = {entry.name: {**entry.value, **changed}}
        for name, value in found.items():
            typed[name] = allowed_value(name, value, entry.value, entry.knob)
    return typed


def _descriptor(knob: Knob, default: Any) -> ParameterDescriptor:
    # Dynamic typing, so that an integer given for a float reaches `allowed_value`.
    descriptor = ParameterDescriptor(
        description=f'{knob.text} [{knob.unit}]' if knob.unit else knob.text,
        additional_constraints=knob.allowed(default),
        read_only=not knob.mutable,
        dynamic_typing=True,
    )
    low = -math.inf if knob.low is None else knob.low
    high = math.inf if knob.high is None else knob.high
    if type(default) is float:
        descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    elif type(default) is int and not math.isinf(low) and not math.isinf(high):
        descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high), step=1)]
    return descriptor
