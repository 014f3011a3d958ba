# SPDX-License-Identifier: Apache-2.0
"""Whether outputs can be written: tried, as permissions do not tell of /proc or a full disk."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryFile

from vidplan_core.errors import ConfigError


def nearest(path: Path) -> Path:
    """Return the path, or the nearest folder above it that exists."""
    place = path.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    return place


def folder_problem(path: Path) -> str:
    """Say why nothing can be written into a folder, or it cannot be made; '' if it can.

    A file without a name is written and gone again: nothing is left behind.
    """
    place = nearest(path)
    if not place.is_dir():
        return f'{path} cannot be made: {place} is a file'
    try:
        with TemporaryFile(dir=place) as file:
            file.write(b'\0')
    except OSError as error:
        return _words(path, place, error)
    return ''


def file_problem(path: Path) -> str:
    """Say why a file cannot be written; '' if it can. Nothing is created."""
    if path.is_dir():
        return f"'{path}' is a folder; name a file"
    if not path.exists():
        return folder_problem(path.parent)
    if not path.is_file():  # a device or a pipe: to open one may wait for its reader
        return '' if os.access(path, os.W_OK) else f'{path} cannot be written: permission denied'
    try:
        path.open('ab').close()
    except OSError as error:
        return _words(path, path, error)
    return ''


def usual_folder(path: Path, option: str) -> Path:
    """Return the folder that is meant where none is named, once it is known to be writable.

    Raises:
        ConfigError: it is not; `option` names another.
    """
    if problem := folder_problem(path):
        raise ConfigError(f'{problem}; name another by {option}')
    return path


def _words(path: Path, place: Path, error: OSError) -> str:
    reason = (error.strerror or str(error)).lower()
    above = '' if place == path.absolute() else f' in {place}'
    return f'{path.absolute()} cannot be written{above}: {reason}'
