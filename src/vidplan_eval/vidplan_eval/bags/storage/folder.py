# SPDX-License-Identifier: Apache-2.0
"""The files of a recording: a folder, with or without metadata, or one file alone."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
import zstandard

from vidplan_core.models.mistaken import mistaken_for
from vidplan_eval.bags.storage.mcap_file import McapFile
from vidplan_eval.bags.storage.sqlite_file import SqliteFile
from vidplan_eval.bags.storage.stored import BagError, StoredFile
from vidplan_eval.bags.storage.unpacking import zstd_blocks

KINDS: dict[str, Callable[[Path], StoredFile]] = {'.mcap': McapFile, '.db3': SqliteFile}
_PACKED = '.zstd'
_ROS_1 = '.bag'
# What a compressed file leaves of the disk where it is unpacked, bytes.
SPARED = 1024**3
_INFORMATION = 'rosbag2_bagfile_information'


@dataclass
class StoredFiles:
    """The open files of one recording, in the order in which they were written.

    Attributes:
        files: open for reading.
        notes: what was missing or wrong, in words.
        custom: key-value pairs that its recorder left in the metadata.
        closing: what is released in the end.
    """

    files: list[StoredFile] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    custom: dict[str, str] = field(default_factory=dict)
    closing: ExitStack = field(default_factory=ExitStack)


def open_files(path: Path) -> StoredFiles:
    """Open everything that belongs to a recording; what cannot be read is noted.

    Args:
        path: folder of a rosbag2, or one .mcap or .db3 file, compressed (.zstd) or not.

    Raises:
        BagError: nothing there, or nothing that can be read.
    """
    if not path.exists():
        raise BagError(f'{path} does not exist')
    found = StoredFiles()
    paths = _listed(path, found) if path.is_dir() else [path]
    reasons = []
    for part in paths:
        try:
            found.files.append(_open(part, found.closing))
        except (BagError, OSError) as error:
            reasons.append(str(error))
    if not found.files:
        found.closing.close()
        raise BagError(_why_nothing(path, found.notes + reasons))
    found.notes += reasons
    return found


def _why_nothing(path: Path, reasons: list[str]) -> str:
    if path.is_dir():
        inner = sorted(p.name for p in path.iterdir() if p.is_dir() and _files_of(p))
        if inner:
            more = f' and {len(inner) - 5} more' if len(inner) > 5 else ''
            return f'{path} holds several recordings: {", ".join(inner[:5])}{more}; name one'
        old = next((p for p in sorted(path.iterdir()) if p.suffix == _ROS_1), None)
        reasons = reasons + ([_of_ros_1(old)] if old is not None else [])
    because = f' ({"; ".join(reasons)})' if reasons else ''
    return f'{path} has no .mcap or .db3 file that can be read{because}'


def _of_ros_1(path: Path) -> str:
    return (
        f'{path} is a bag of ROS 1: convert it, `rosbags-convert --src {path} --dst '
        f'{path.with_suffix("")}`'
    )


def _listed(folder: Path, found: StoredFiles) -> list[Path]:
    """Return the files of a folder: those of its metadata first, then what it does not name."""
    information = _metadata(folder, found)
    custom = information.get('custom_data')
    found.custom = {str(k): str(v) for k, v in custom.items()} if isinstance(custom, dict) else {}
    named = [folder / Path(str(name)).name for name in information.get('relative_file_paths', [])]
    present = _files_of(folder)
    missing = [p.name for p in named if p not in present]
    if missing:
        found.notes.append(f'{folder.name} lacks {", ".join(missing)}')
    return [p for p in named if p in present] + [p for p in present if p not in named]


def _files_of(folder: Path) -> list[Path]:
    """Return the files of a folder that are a recording, in the order of their numbers."""
    return sorted((p for p in folder.iterdir() if _kind(p) is not None), key=_place)


def _metadata(folder: Path, found: StoredFiles) -> dict[str, Any]:
    try:
        values = yaml.safe_load((folder / 'metadata.yaml').read_text(encoding='utf-8'))
        information = values[_INFORMATION]
        return information if isinstance(information, dict) else {}
    except OSError:
        found.notes.append(f'{folder.name} has no metadata.yaml; its files say all that is needed')
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError):
        found.notes.append(f'the metadata.yaml of {folder.name} cannot be read and is left out')
    return {}


def _kind(path: Path) -> str | None:
    suffixes = [s for s in path.suffixes if s != _PACKED]
    return suffixes[-1] if suffixes and suffixes[-1] in KINDS else None


def _place(path: Path) -> tuple[str, int, str]:
    """Splits are numbered: bag_2 comes before bag_10."""
    stem = path.name.partition('.')[0]
    number = re.search(r'_(\d+)$', stem)
    return (stem[: number.start()] if number else stem), int(number[1]) if number else -1, stem


def _open(path: Path, closing: ExitStack) -> StoredFile:
    kind = _kind(path)
    if path.suffix == _ROS_1:
        raise BagError(_of_ros_1(path))
    if kind is None:
        raise BagError(f'{path} is neither .mcap nor .db3, compressed with zstd or not')
    if (what := mistaken_for(path)) and not what.startswith('is empty'):
        raise BagError(f'{path} {what}')
    file = KINDS[kind](_unpacked(path, closing) if path.suffix == _PACKED else path)
    closing.callback(file.close)
    return file


def _unpacked(path: Path, closing: ExitStack) -> Path:
    folder = Path(closing.enter_context(TemporaryDirectory(prefix='vidplan_bag_')))
    plain = folder / path.stem
    room = max(shutil.disk_usage(folder).free - SPARED, 0)
    with path.open('rb') as source, plain.open('wb') as target:
        try:
            target.writelines(zstd_blocks(source, room))
        except ValueError as error:
            raise BagError(f'{path} does not fit on the disk of {folder}: {error}') from error
        except zstandard.ZstdError as error:
            if not target.tell():
                raise BagError(f'{path} cannot be decompressed: {error}') from error
    return plain
