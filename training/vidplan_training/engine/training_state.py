# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of a training in progress: written atomically, never unpickled."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vidplan_core.errors import ModelError
from vidplan_core.models.tensors import mismatches, shapes
from vidplan_training.engine.sharding import spread_optimizer

PARTS = ('iteration', 'module', 'average', 'optimizer')


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write a checkpoint; a reader sees the whole old one or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix('.part')
    torch.save(dict(state), part)
    part.replace(path)


def read_state(path: Path) -> dict[str, Any]:
    """Parts of a checkpoint, on the CPU.

    Raises ModelError when the file is truncated, corrupt or no checkpoint of a training.
    """
    try:
        state = torch.load(path, map_location='cpu', weights_only=True)
    except (RuntimeError, EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(
            f'the checkpoint {path} is corrupt or truncated ({reason}); restore a copy of it, '
            'or remove it to start again'
        ) from error
    missing = [part for part in PARTS if not isinstance(state, dict) or part not in state]
    if missing:
        raise ModelError(f'{path} is no checkpoint of a training: it has no {missing}')
    return state


def fill(module: nn.Module, path: Path) -> dict[str, Any]:
    """Load weights from a checkpoint and return all of it.

    Raises ModelError naming the first tensors that do not fit the model.
    """
    state = read_state(path)
    problems = [
        *_differences('module', module.state_dict(), state['module']),
        *_differences('average', dict(module.named_parameters()), state['average']),
    ]
    if problems:
        raise ModelError(
            f'the checkpoint {path} is of another model: {"; ".join(problems[:5])}; name '
            'another file to start a new training'
        )
    module.load_state_dict(state['module'])
    return state


def fill_optimizer(optimizer: torch.optim.Optimizer, state: Mapping[str, Any], path: Path) -> None:
    """Load the state of an optimiser, spread as its parameters are.

    Raises ModelError where it does not fit.
    """
    parameters = [p for group in optimizer.param_groups for p in group['params']]
    try:
        optimizer.load_state_dict(spread_optimizer(state['optimizer'], parameters))
    except (IndexError, KeyError, ValueError) as error:
        raise ModelError(f'the optimiser in {path} is of another model: {error}') from error


def _differences(part: str, wanted: Mapping[str, Tensor], stored: Any) -> list[str]:
    if not isinstance(stored, Mapping):
        return [f'{part} is no set of tensors']
    return [f'{part}: {line}' for line in mismatches(shapes(wanted), shapes(stored))]
