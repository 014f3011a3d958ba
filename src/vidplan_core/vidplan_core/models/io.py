# SPDX-License-Identifier: Apache-2.0
"""A network on disk: a folder with `config.json` for its sizes and `weights.safetensors`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from vidplan_core.errors import ModelError
from vidplan_core.models.fields import check_kind
from vidplan_core.models.mistaken import mistaken_for
from vidplan_core.models.tensors import fill, mismatches, not_finite, refuse, shapes, unshared

T = TypeVar('T')

CONFIG = 'config.json'
WEIGHTS = 'weights.safetensors'

# Key of a dataclass field's metadata: the function that builds its value from json.
FROM_JSON = 'from_json'


def save_weights(
    folder: Path,
    config: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    dtype: torch.dtype | None = torch.float16,
) -> None:
    """Write a model folder; float32 weights are stored as `dtype`, None keeps every tensor's.

    Tensors that share memory are stored once for each of their names.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).write_text(json.dumps(config, indent=1) + '\n')
    wide = (torch.float32, torch.float64)
    stored = {
        name: (value.to(dtype) if dtype and value.dtype in wide else value).contiguous()
        for name, value in tensors.items()
    }
    save_file(unshared(stored), folder / WEIGHTS)
    # safetensors lets its owner alone read it; whoever reads the description needs the weights.
    shutil.copymode(folder / CONFIG, folder / WEIGHTS)


def read_config(folder: Path) -> dict[str, Any]:
    """Configuration of a model folder; raises ModelError when missing or not json."""
    path = folder / CONFIG
    try:
        values = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise ModelError(f'no model in {folder}: {CONFIG} is missing') from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ModelError(f'{path} is not valid json: {error}') from error
    if not isinstance(values, dict):
        raise ModelError(f'{path} must hold one json object')
    return values


def load_weights(module: nn.Module, folder: Path, optional: tuple[str, ...] = ()) -> None:
    """Fill a module strictly; tensors that start with an `optional` prefix may be absent.

    Raises ModelError naming the file and every missing, unknown or wrongly shaped tensor.
    """
    stored = read_weights(folder)
    wanted = {k: v for k, v in module.state_dict().items() if not k.startswith(optional or '\0')}
    problems = mismatches(shapes(wanted), shapes(stored))
    refuse(folder / WEIGHTS, problems + not_finite(stored))
    fill(module, stored)


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Tensors of a model folder; raises ModelError when they are missing or corrupt."""
    path = folder / WEIGHTS
    try:
        return load_file(path)
    except FileNotFoundError as error:
        raise ModelError(f'no weights: {path} is missing') from error
    except SafetensorError as error:
        what = mistaken_for(path) or f'is corrupt or truncated: {error}'
        raise ModelError(f'{path} {what}') from error


def to_dict(config: Any) -> dict[str, Any]:
    """Plain dictionary of a configuration dataclass, ready for json."""
    return asdict(config)


def from_dict(kind: type[T], values: Mapping[str, Any]) -> T:
    """Build a configuration from json values; raises ModelError naming keys and wrong values.

    Numbers must be finite. Lists become tuples, unless a field's metadata say by `FROM_JSON` how
    it is read.
    """
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ModelError(f'{kind.__name__} has no key {unknown}; known keys: {sorted(known)}')
    kinds = get_type_hints(kind)
    read = {
        name: known[name].metadata.get(FROM_JSON, _tuples)(value) for name, value in values.items()
    }
    for name, value in read.items():
        check_kind(f'{kind.__name__}.{name}', kinds[name], value)
    return kind(**read)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value
