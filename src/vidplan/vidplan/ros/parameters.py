# SPDX-License-Identifier: Apache-2.0
"""Node parameters as one frozen dataclass: default, meaning and range stand in one line.

Each field is `rate_hz: float = parameter(10.0, 'Rate of the output, Hz.', low=0.1, high=100.0)`,
and `declare(node, Parameters)` returns the values of this start, checked.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
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

T = TypeVar('T')


@dataclasses.dataclass(frozen=True)
class Spec:
    """What a parameter means and may be; lists are checked element by element."""

    description: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    length: int | None = None
    mutable: bool = False

    def allowed(self) -> str:
        """Say what is allowed, for error messages and `ros2 param describe`."""
        parts = []
        if self.length is not None:
            parts.append(f'{self.length} values')
        if self.low is not None or self.high is not None:
            low = '-inf' if self.low is None else f'{self.low:g}'
            high = 'inf' if self.high is None else f'{self.high:g}'
            parts.append(f'{low} .. {high}')
        if self.choices:
            parts.append('one of ' + ', '.join(self.choices))
        return ', '.join(parts) or 'any value of its type'


def parameter(default: Any, description: str, **limits: Any) -> Any:
    """Return a dataclass field with `low`, `high`, `choices`, `length`, `mutable` of Spec.

    A parameter is read-only after the start unless `mutable`.
    """
    return dataclasses.field(
        default=default, metadata={'spec': Spec(description=description, **limits)}
    )


def declare(node: Node, kind: type[T]) -> T:
    """Declare every field of the dataclass on the node and return the values of this start.

    Raises:
        ConfigError: a value of the wrong type or outside its range; names the parameter.
    """
    values = {}
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        spec: Spec = field.metadata['spec']
        default = list(field.default) if isinstance(field.default, tuple) else field.default
        try:
            value = node.declare_parameter(
                field.name, default, _descriptor(spec, field.default)
            ).value
        except ParameterException as error:
            raise ConfigError(
                f'parameter {field.name}: {error}; allowed: {spec.allowed()}'
            ) from error
        values[field.name] = checked(field.name, value, field.default, spec)
    return kind(**values)


def follow(node: Node, current: T, on_change: Callable[[T], None]) -> None:
    """Call `on_change` with new parameters whenever a mutable one is set to an allowed value."""
    fields = {field.name: field for field in dataclasses.fields(current)}  # type: ignore[arg-type]
    state = current

    def on_set(changes: list[Parameter]) -> SetParametersResult:
        nonlocal state
        ours = [change for change in changes if change.name in fields]
        try:
            values = {
                change.name: checked(
                    change.name,
                    change.value,
                    fields[change.name].default,
                    fields[change.name].metadata['spec'],
                )
                for change in ours
            }
            changed = dataclasses.replace(state, **values)  # type: ignore[type-var]
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        if ours:
            state = changed
            on_change(changed)
        return SetParametersResult(successful=True)

    node.add_on_set_parameters_callback(on_set)


def checked(name: str, value: Any, default: Any, spec: Spec) -> Any:
    """Return the value in the type of the default, lists as tuples; raises ConfigError."""
    if isinstance(default, tuple):
        if isinstance(value, (str, bytes)) or not hasattr(value, '__iter__'):
            raise ConfigError(
                f'parameter {name} is {value!r}; it must be a list of {_type_name(default[0])}'
            )
        values = tuple(_scalar(name, element, default[0], spec) for element in value)
        if spec.length is not None and len(values) != spec.length:
            raise ConfigError(
                f'parameter {name} has {len(values)} values; it must have {spec.length}'
            )
        return values
    return _scalar(name, value, default, spec)


def _scalar(name: str, value: Any, default: Any, spec: Spec) -> Any:
    # `rate: 10` in YAML is an integer; people mean 10.0.
    if type(default) is float and type(value) is int:
        value = float(value)
    if type(value) is not type(default):
        raise ConfigError(
            f'parameter {name} is {value!r}; it must be of type {_type_name(default)}'
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f'parameter {name} is {value}; it must be finite')
    too_low = spec.low is not None and value < spec.low
    too_high = spec.high is not None and value > spec.high
    if too_low or too_high or (spec.choices and value not in spec.choices):
        raise ConfigError(f'parameter {name} is {value!r}; allowed: {spec.allowed()}')
    return value


def _descriptor(spec: Spec, default: Any) -> ParameterDescriptor:
    # Dynamic typing, so that an integer given for a float reaches `checked` and is understood.
    descriptor = ParameterDescriptor(
        description=spec.description,
        additional_constraints=spec.allowed(),
        read_only=not spec.mutable,
        dynamic_typing=True,
    )
    low = -math.inf if spec.low is None else spec.low
    high = math.inf if spec.high is None else spec.high
    if type(default) is float:
        descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    elif type(default) is int and not math.isinf(low) and not math.isinf(high):
        descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high), step=1)]
    return descriptor


def _type_name(value: Any) -> str:
    return {float: 'float', int: 'integer', bool: 'bool', str: 'string'}[type(value)]
