# SPDX-License-Identifier: Apache-2.0
"""Opening checkpoints of others: memory-mapped, nothing but tensors, errors that name the file."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from vidplan_core.errors import ModelError
from vidplan_core.models.mistaken import no_weights

# What wrappers of distributed training put before every name.
WRAPPER = 'module.'
# Holds 0 .. 76 in checkpoints of older writers, which every model knows without it.
POSITIONS = 'position_ids'
_ZIP = b'PK\x03\x04'


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Tensors of a `.safetensors` file or of a file of `torch.save`, by name, not yet in memory.

    Raises:
        ModelError: the file is missing, corrupt, truncated or holds something else.
    """
    if not path.is_file():
        raise ModelError(f'no checkpoint: {path} is not a file')
    if what := no_weights(path):
        raise ModelError(f'{path} {what}')
    state = _safetensors(path) if path.suffix == '.safetensors' else _torch(path)
    if not isinstance(state, dict) or not state:
        raise ModelError(f'{path} holds no tensors by name but {type(state).__name__}')
    others = [name for name, value in state.items() if not isinstance(value, Tensor)]
    if others:
        kind = type(state[others[0]]).__name__
        raise ModelError(f'{path} should hold tensors by name; {others[0]!r} is of type {kind}')
    named = {str(name).removeprefix(WRAPPER): value for name, value in state.items()}
    return {name: value for name, value in named.items() if not name.endswith(POSITIONS)}


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f'{path} is corrupt or truncated: {error}') from error


def _torch(path: Path) -> Any:
    """Read a file of `torch.save`; what torch advises then is not passed on: it leads astray."""
    with path.open('rb') as file:
        zipped = file.read(len(_ZIP)) == _ZIP  # files of torch before 1.6 are none
    try:
        return torch.load(path, map_location='cpu', mmap=zipped, weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(
            f'{path} holds more than tensors, or is no checkpoint; neither is read, as what is no '
            'tensor could run programs'
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        first = str(error).partition('. ')[0]
        raise ModelError(f'{path} is corrupt or truncated: {first}') from error
