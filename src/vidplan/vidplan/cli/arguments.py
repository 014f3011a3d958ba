# SPDX-License-Identifier: Apache-2.0
"""Types of command-line arguments: each is checked while it is read, before any work.

Every one of them raises argparse.ArgumentTypeError with what would be right.
"""

from __future__ import annotations

import math
import os
import re
from argparse import ArgumentTypeError
from pathlib import Path

from vidplan_core.models.places import file_problem, folder_problem

_DEVICE = re.compile(r'cpu|(?:cuda|xpu|mps)(?::\d+)?')


def positive(text: str) -> int:
    """Read a whole number of at least one."""
    value = _whole(text)
    if value < 1:
        raise ArgumentTypeError(f'{value} is not at least 1')
    return value


def seed(text: str) -> int:
    """Read a seed: a whole number that is not negative."""
    value = _whole(text)
    if value < 0:
        raise ArgumentTypeError(f'{value} is negative; a seed is 0 or above')
    return value


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ArgumentTypeError(f'{text!r} is not a whole number') from None


def seconds(text: str) -> float:
    """Read a finite time that is not negative, s."""
    try:
        value = float(text)
    except ValueError:
        raise ArgumentTypeError(f'{text!r} is not a number of seconds') from None
    if not 0.0 <= value < math.inf:
        raise ArgumentTypeError(f'{text} s is no time span; say a finite number from 0 up')
    return value


def above_zero(text: str) -> float:
    """Read a finite number above zero."""
    try:
        value = float(text)
    except ValueError:
        raise ArgumentTypeError(f'{text!r} is not a number') from None
    if not 0.0 < value < math.inf:
        raise ArgumentTypeError(f'{text} is not a finite number above 0')
    return value


def device(text: str) -> str:
    """Read the name of a torch device that this machine has; torch is not loaded for it."""
    from vidplan.cli.gpu import gpu_problem

    if text == 'gpu':
        raise ArgumentTypeError("'gpu' is no device; say cuda, or cuda:1 for the second")
    if not _DEVICE.fullmatch(text):
        raise ArgumentTypeError(f'{text!r} is no device; say cpu, cuda or cuda:N')
    if text.startswith('cuda') and (problem := gpu_problem(int(text[5:] or 0))):
        raise ArgumentTypeError(f'{text} cannot be used: {problem}; say cpu')
    return text


def existing(text: str) -> Path:
    """Read the path of a file or folder that is there and can be read."""
    path = Path(text).expanduser()
    if not path.exists():
        raise ArgumentTypeError(f'{path} does not exist{_similar(path)}')
    if not os.access(path, os.R_OK):
        raise ArgumentTypeError(f'{path} cannot be read: permission denied')
    return path


def existing_file(text: str) -> Path:
    """Read the path of a file that is there."""
    path = existing(text)
    if path.is_dir():
        raise ArgumentTypeError(f'{path} is a folder; name a file')
    return path


def existing_folder(text: str) -> Path:
    """Read the path of a folder that is there."""
    path = existing(text)
    if not path.is_dir():
        raise ArgumentTypeError(f'{path} is a file; name a folder')
    return path


def existing_bag(text: str) -> Path:
    """Read the path of a recording, or of a run that has one in it (outputs/runs/X)."""
    path = existing(text)
    inner = path / 'bag'
    if not path.is_dir() or not inner.is_dir():
        return path
    bags = sorted(entry for entry in inner.iterdir() if entry.is_dir())
    return bags[-1] if bags else inner


def models(text: str) -> Path:
    """Read the path of models: a folder, or the file of a released checkpoint."""
    path = existing(text)
    if path.is_dir() and not (path / 'world_model' / 'config.json').is_file():
        raise ArgumentTypeError(
            f'{path} has no world_model/config.json; name a models folder, such as models/cell'
        )
    return path


def output_file(text: str) -> Path:
    """Read the path of a file that can be written; nothing is created."""
    path = Path(text).expanduser()
    if not text:
        raise ArgumentTypeError("'' is a folder; name a file")
    _refuse(file_problem(path))
    return path


def output_folder(text: str) -> Path:
    """Read the path of a folder that can be written or made; nothing is created."""
    path = Path(text).expanduser()
    if path.exists() and not path.is_dir():
        raise ArgumentTypeError(f'{path} is a file; name a folder')
    _refuse(folder_problem(path))
    return path


def new_folder(text: str) -> Path:
    """Read the path of a folder that is not there yet, and can be made."""
    path = output_folder(text)
    if path.exists():
        raise ArgumentTypeError(f'{path} exists already; name a new folder')
    return path


def _refuse(problem: str) -> None:
    if problem:
        raise ArgumentTypeError(problem)


def _similar(path: Path) -> str:
    """Name what lies beside a path that is not there and is spelt like it."""
    from difflib import get_close_matches

    if not path.parent.is_dir():
        return ''
    names = [entry.name for entry in path.parent.iterdir()]
    near = get_close_matches(path.name, names, 1)
    return f'; {path.parent / near[0]} does' if near else ''
