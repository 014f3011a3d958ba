# SPDX-License-Identifier: Apache-2.0
"""What a model needs against what a file holds, tensor by tensor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path

import torch
from torch import Tensor, nn

from vidplan_core.errors import ModelError

_REPORTED = 8

Shape = tuple[int, ...]


def shapes(tensors: Mapping[str, Tensor]) -> dict[str, Shape]:
    """Shape by name."""
    return {name: tuple(value.shape) for name, value in tensors.items()}


def mismatches(wanted: Mapping[str, Shape], found: Mapping[str, Shape]) -> list[str]:
    """One line per tensor that is missing, unknown or of another shape, by name and shape."""
    problems = [
        f'{name} has shape {found[name]}, expected {wanted[name]}'
        for name in sorted(set(wanted) & set(found))
        if found[name] != wanted[name]
    ]
    unknown = sorted(set(found) - set(wanted))
    for name in sorted(set(wanted) - set(found)):
        same = [other for other in unknown if found[other] == wanted[name]]
        near = get_close_matches(name, same, n=1, cutoff=0.8)
        hint = f'; {near[0]} has that shape: was it renamed?' if near else ''
        problems.append(f'{name} is missing, expected shape {wanted[name]}{hint}')
    return problems + [f'{name} is unknown, shape {found[name]}' for name in unknown]


def not_finite(tensors: Mapping[str, Tensor]) -> list[str]:
    """One line per tensor with a value that is not a number."""
    return [
        f'{name} is not finite'
        for name, value in tensors.items()
        if value.is_floating_point() and not bool(torch.isfinite(value).all())
    ]


def refuse(path: Path, problems: Iterable[str]) -> None:
    """Raise ModelError naming the file and the first problems, if there are any."""
    listed = list(problems)
    if not listed:
        return
    more = len(listed) - _REPORTED
    rest = f'; and {more} more' if more > 0 else ''
    raise ModelError(f'{path} does not fit: {"; ".join(listed[:_REPORTED])}{rest}')


def unshared(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors, each with memory of its own, as safetensors asks for."""
    seen: set[int] = set()
    own: dict[str, Tensor] = {}
    for name, value in tensors.items():
        place = value.untyped_storage().data_ptr()
        own[name] = value.clone() if place in seen else value
        seen.add(place)
    return own


def fill(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Give a module its tensors, some of which may be absent.

    A module on the meta device takes them as they are, without a second copy, but for float16,
    which is for storage only. Any other module copies them into its own.
    """
    empty = any(value.is_meta for value in module.state_dict().values())
    if empty:
        tensors = {
            name: value.float() if value.dtype == torch.float16 else value
            for name, value in tensors.items()
        }
    module.load_state_dict(dict(tensors), strict=False, assign=empty)
