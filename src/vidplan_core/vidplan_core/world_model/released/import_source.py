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

# What wrappers of distributed training put before every name.
WRAPPER = 'module.'
# Holds 0 .. 76 in checkpoints of older writers, which every model knows without it.
POSITIONS = 'position_ids'


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Tensors of a `.safetensors` file or of a file of `torch.save`, by name, not yet in memory.

    Raises:
        ModelError: the file is missing, corrupt, truncated or holds something else.
    """
    if not path.is_file():
        raise ModelError(f'no checkpoint: {path} is not a file')
    _refuse_what_is_no_weights(path)
    state = _safetensors(path) if path.suffix == '.safetensors' else _torch(path)
    if not isinstance(state, dict) or not state:
        raise ModelError(f'{path} holds no tensors by name but {type(state).__name__}')
    others = [name for name, value in state.items() if not isinstance(value, Tensor)]
    if others:
        kind = type(state[others[0]]).__name__
        raise ModelError(f'{path} should hold tensors by name; {others[0]!r} is of type {kind}')
    named = {str(name).removeprefix(WRAPPER): value for name, value in state.items()}
    return {name: value for name, value in named.items() if not name.endswith(POSITIONS)}


def _refuse_what_is_no_weights(path: Path) -> None:
    """Name what is often in the place of weights: a pointer to them, an error page, nothing."""
    with path.open('rb') as file:
        start = file.read(200).lstrip().lower()
    if not start:
        raise ModelError(f'{path} is empty: download it again')
    if start.startswith(b'version https://git-lfs'):
        raise ModelError(f'{path} is a pointer of git-lfs, not the weights: run `git lfs pull`')
    if start.startswith((b'<!doctype', b'<html', b'<?xml')):
        raise ModelError(f'{path} is a web page, not weights: download it again, signed in')


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f'{path} is corrupt or truncated: {error}') from error


def _torch(path: Path) -> Any:
    try:
        return torch.load(path, map_location='cpu', mmap=True, weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(
            f'{path} holds more than tensors, or is no checkpoint: {error}'
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise ModelError(f'{path} is corrupt or truncated: {error}') from error
