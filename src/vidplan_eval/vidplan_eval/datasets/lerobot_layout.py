# SPDX-License-Identifier: Apache-2.0
"""Where LeRobot data sets keep what, in their versions 2 and 3.

Version 2 (v2.0, v2.1) has one parquet file and one video per camera for every episode, listed
in meta/episodes.jsonl. Version 3 joins episodes in larger files; meta/episodes/*/*.parquet
lists each episode's files and where in the videos it begins. meta/info.json has the templates
of the paths. https://huggingface.co/docs/lerobot/lerobot-dataset-v3
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet as parquet

from vidplan_core.errors import ConfigError

INFO = 'meta/info.json'
_BROKEN = (ZeroDivisionError, pyarrow.ArrowException)


@dataclass(frozen=True)
class ListedEpisode:
    """What the metadata say of one episode.

    rows: number of steps, at the rate of the recording.
    videos: by camera, the file and where in it the episode begins, s; cameras whose pictures
        the table holds have none.
    """

    index: int
    rows: int
    text: str
    table: Path
    videos: dict[str, tuple[Path, float]]


@dataclass(frozen=True)
class Layout:
    """Metadata of a data set: its rate and its episodes by index.

    joined: whether episodes share files.
    cameras: in the order of the views.
    """

    cameras: tuple[str, ...]
    joined: bool
    rate_hz: float
    entries: dict[int, ListedEpisode]


def read_layout(root: Path, cameras: Sequence[str]) -> Layout:
    """Metadata of a folder.

    Raises FileNotFoundError without meta/info.json, ConfigError when the metadata are broken,
    of an unknown version, or lack a camera.
    """
    info = _read_info(root / INFO)
    try:
        version = str(info['codebase_version'])
        filmed = _filmed(root, info, cameras)
        read = {'v2': _entries_2, 'v3': _entries_3}.get(version[:2])
        if read is None:
            raise ConfigError(f'{root / INFO}: version {version}; v2.0, v2.1 and v3.0 are known')
        entries = read(root, info, filmed)
        rate_hz = float(info['fps'])
        if not 0.0 < rate_hz < math.inf:
            raise ValueError(f'fps is {rate_hz:g}')
    except (AttributeError, KeyError, TypeError, ValueError, *_BROKEN) as error:
        reason = f'no {error}' if isinstance(error, KeyError) else str(error)
        raise ConfigError(f'the metadata in {root / "meta"} are broken: {reason}') from error
    if not entries:
        raise ConfigError(f'{root / "meta"} lists no episode')
    by_index = {entry.index: entry for entry in entries}
    return Layout(tuple(cameras), version.startswith('v3'), rate_hz, by_index)


def _read_info(path: Path) -> dict[str, Any]:
    try:
        info: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise FileNotFoundError(f'{path} is missing: no LeRobot data set there') from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ConfigError(f'{path} is not valid json: {error}') from error
    return info


def _filmed(root: Path, info: dict[str, Any], cameras: Sequence[str]) -> list[str]:
    """The cameras that have videos; the pictures of the others are in the tables."""
    kinds = {name: feature.get('dtype') for name, feature in info['features'].items()}
    known = [name for name, kind in kinds.items() if kind in ('video', 'image')]
    missing = [camera for camera in cameras if camera not in known]
    if missing:
        raise ConfigError(
            f'{root / INFO} has no video and no image {missing}; it has {known}: name three of '
            'them by `cameras`'
        )
    return [camera for camera in cameras if kinds[camera] == 'video']


def _entries_2(root: Path, info: dict[str, Any], cameras: Sequence[str]) -> list[ListedEpisode]:
    lines = (root / 'meta' / 'episodes.jsonl').read_text().splitlines()
    entries = []
    for note in (json.loads(line) for line in lines if line.strip()):
        index = int(note['episode_index'])
        names = {'episode_index': index, 'episode_chunk': index // int(info['chunks_size'])}
        videos = {
            camera: (root / info['video_path'].format(video_key=camera, **names), 0.0)
            for camera in cameras
        }
        table = root / info['data_path'].format(**names)
        entries.append(ListedEpisode(index, int(note['length']), _text(note), table, videos))
    return entries


def _entries_3(root: Path, info: dict[str, Any], cameras: Sequence[str]) -> list[ListedEpisode]:
    columns = ['episode_index', 'length', 'tasks', 'data/chunk_index', 'data/file_index']
    for camera in cameras:
        parts = ('chunk_index', 'file_index', 'from_timestamp')
        columns += [f'videos/{camera}/{part}' for part in parts]
    notes: list[dict[str, Any]] = []
    for path in sorted((root / 'meta' / 'episodes').glob('*/*.parquet')):
        notes += parquet.read_table(path, columns=columns).to_pylist()
    entries = []
    for note in notes:
        names = {'chunk_index': note['data/chunk_index'], 'file_index': note['data/file_index']}
        table = root / info['data_path'].format(**names)
        videos = {camera: _video_3(root, info, note, camera) for camera in cameras}
        index, rows = int(note['episode_index']), int(note['length'])
        entries.append(ListedEpisode(index, rows, _text(note), table, videos))
    return entries


def _video_3(
    root: Path, info: dict[str, Any], note: dict[str, Any], camera: str
) -> tuple[Path, float]:
    chunk, file, start_s = (
        note[f'videos/{camera}/{part}'] for part in ('chunk_index', 'file_index', 'from_timestamp')
    )
    path = info['video_path'].format(video_key=camera, chunk_index=chunk, file_index=file)
    return root / path, float(start_s)


def _text(note: dict[str, Any]) -> str:
    return next((text for text in note.get('tasks') or [] if text), '')
