# SPDX-License-Identifier: Apache-2.0
"""Write training episodes in LeRobot's format, versions 2.1 and 3.0.

Names are DROID's beside LeRobot's own `observation.state` and `action`, so that policies and
world models find what they look for. https://huggingface.co/docs/lerobot/lerobot-dataset-v3
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet as parquet
import torch

from vidplan_core.data.observation import Observation
from vidplan_core.data.video_file import VideoWriter
from vidplan_core.errors import ConfigError
from vidplan_core.geometry.camera_layout import CameraLayout
from vidplan_core.geometry.se3 import matrix_to_euler_xyz, quaternion_to_matrix
from vidplan_eval.bags.storage.stored import BagError
from vidplan_eval.datasets.lerobot_format import (
    CHUNK,
    COLUMNS,
    PATHS_2,
    PATHS_3,
    TASKS_INDEX,
    VERSIONS,
    video_key,
)
from vidplan_eval.datasets.lerobot_statistics import column_statistics


@dataclass(frozen=True)
class WrittenEpisode:
    """One episode that was written.

    Attributes:
        index: its number.
        frames: how many.
        text: its instruction.
        table: of its numbers.
    """

    index: int
    frames: int
    text: str
    table: dict[str, Any]


class LeRobotWriter:
    """Writes a data set, one episode after the other; `close` writes the metadata.

    In version 3 every episode has files of its own, which the format allows.
    """

    def __init__(
        self, root: Path, layout: CameraLayout, rate_hz: float, version: str = 'v3.0'
    ) -> None:
        """Create the folder.

        Raises:
            ConfigError: an unknown version.
            BagError: the folder exists.
        """
        if version not in VERSIONS:
            raise ConfigError(f'version {version!r} is not one of {", ".join(VERSIONS)}')
        if root.exists():
            raise BagError(f'{root} exists already; a data set needs a new folder')
        self.root, self.layout, self.rate_hz, self.version = root, layout, rate_hz, version
        self.episodes: list[WrittenEpisode] = []
        self._paths = PATHS_3 if version == 'v3.0' else PATHS_2
        (root / 'meta').mkdir(parents=True)

    def add(self, observations: list[Observation], text: str, success: bool | None) -> None:
        """Write one episode.

        Args:
            observations: at least two, one per frame.
            text: instruction.
            success: whether it was done; None where nobody knows.
        """
        index = len(self.episodes)
        table = self._table(index, observations, text, success)
        path = self.table_path(index)
        path.parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(pyarrow.table(_typed(table)), path)
        with ExitStack() as stack:
            writers = {
                view: stack.enter_context(VideoWriter(self.video(index, view), self.rate_hz))
                for view in self.layout.views
            }
            for seen in observations:
                for view, pixels in self.layout.split(seen.image).items():
                    writers[view].add(pixels)
        self.episodes.append(WrittenEpisode(index, len(observations), text, table))

    def table_path(self, index: int) -> Path:
        """File of an episode's numbers."""
        return self.root / self._paths['data_path'].format(**_places(index))

    def video(self, index: int, view: str) -> Path:
        """File of an episode's view."""
        names = {**_places(index), 'video_key': video_key(view)}
        return self.root / self._paths['video_path'].format(**names)

    def close(self) -> None:
        """Write what readers need to find the episodes.

        Raises:
            BagError: there is none.
        """
        if not self.episodes:
            raise BagError(f'{self.root}: no episode was written')
        tasks = list(dict.fromkeys(episode.text for episode in self.episodes))
        self._write_json('info.json', self._info(len(tasks)))
        if self.version == 'v3.0':
            self._close_3(tasks)
        else:
            self._close_2(tasks)

    def _table(
        self, index: int, seen: list[Observation], text: str, success: bool | None
    ) -> dict[str, Any]:
        frames = np.arange(len(seen))
        joints = np.array([one.q for one in seen], np.float32)
        closed = np.array([[one.closedness] for one in seen], np.float32)
        pose = np.array([flange_euler(one) for one in seen])
        later = np.minimum(frames + 1, len(seen) - 1)
        first = sum(episode.frames for episode in self.episodes)
        tasks = list(dict.fromkeys([episode.text for episode in self.episodes] + [text]))
        known = {} if success is None else {'is_episode_successful': np.full(len(seen), success)}
        return {
            'observation.state': np.hstack([joints, closed]),
            'observation.state.joint_position': joints,
            'observation.state.cartesian_position': pose,
            'observation.state.gripper_position': closed[:, 0],
            'action': np.hstack([joints, closed])[later],
            'action.joint_position': joints[later],
            'action.cartesian_position': pose[later],
            'action.gripper_position': closed[later, 0],
            **known,
            'language_instruction': [text] * len(seen),
            'timestamp': (frames / self.rate_hz).astype(np.float32),
            'frame_index': frames,
            'episode_index': np.full(len(seen), index),
            'index': first + frames,
            'task_index': np.full(len(seen), tasks.index(text)),
        }

    def _info(self, tasks: int) -> dict[str, Any]:
        frames = sum(episode.frames for episode in self.episodes)
        count = len(self.episodes)
        of_version: dict[str, Any] = (
            {'data_files_size_in_mb': 100, 'video_files_size_in_mb': 500}
            if self.version == 'v3.0'
            else {
                'total_videos': count * len(self.layout.views),
                'total_chunks': (count - 1) // CHUNK + 1,
            }
        )
        return {
            'codebase_version': self.version,
            'robot_type': 'franka',
            'total_episodes': count,
            'total_frames': frames,
            'total_tasks': tasks,
            'chunks_size': CHUNK,
            'fps': int(self.rate_hz) if float(self.rate_hz).is_integer() else self.rate_hz,
            'splits': {'train': f'0:{count}'},
            **self._paths,
            **of_version,
            'features': self._features(),
        }

    def _features(self) -> dict[str, Any]:
        height, width = self.layout.height, self.layout.width
        about = {'video.fps': self.rate_hz, 'video.codec': 'h264', 'video.pix_fmt': 'yuv420p',
                 'video.is_depth_map': False, 'has_audio': False, 'video.height': height,
                 'video.width': width, 'video.channels': 3}  # fmt: skip
        videos = {
            video_key(view): {
                'dtype': 'video',
                'shape': [height, width, 3],
                'names': ['height', 'width', 'channels'],
                'info': about,
            }
            for view in self.layout.views
        }
        columns: dict[str, Any] = {}
        for name, values in self.episodes[0].table.items():
            dtype = 'string' if isinstance(values, list) else str(values.dtype)
            shape = [len(COLUMNS.get(name, ['']))]
            columns[name] = {'dtype': dtype, 'shape': shape, 'names': COLUMNS.get(name)}
        return {**videos, **columns}

    def _close_2(self, tasks: list[str]) -> None:
        notes = [{'task_index': n, 'task': task} for n, task in enumerate(tasks)]
        self._write_lines('tasks.jsonl', notes)
        self._write_lines(
            'episodes.jsonl',
            [
                {'episode_index': e.index, 'tasks': [e.text], 'length': e.frames}
                for e in self.episodes
            ],
        )
        stats = [{'episode_index': e.index, 'stats': self._statistics(e)} for e in self.episodes]
        self._write_lines('episodes_stats.jsonl', stats)

    def _close_3(self, tasks: list[str]) -> None:
        table = pyarrow.table({'task_index': list(range(len(tasks))), 'task': tasks})
        table = table.replace_schema_metadata({b'pandas': json.dumps(TASKS_INDEX).encode()})
        parquet.write_table(table, self.root / 'meta' / 'tasks.parquet')
        path = self.root / 'meta' / 'episodes' / 'chunk-000' / 'file-000.parquet'
        path.parent.mkdir(parents=True)
        parquet.write_table(
            pyarrow.Table.from_pylist([self._note_3(e) for e in self.episodes]), path
        )
        joined = {
            name: values if isinstance(values, list) else np.concatenate(
                [episode.table[name] for episode in self.episodes]
            )
            for name, values in self.episodes[0].table.items()
        }  # fmt: skip
        self._write_json('stats.json', column_statistics(joined))

    def _note_3(self, episode: WrittenEpisode) -> dict[str, Any]:
        first = sum(other.frames for other in self.episodes[: episode.index])
        chunk, file = divmod(episode.index, CHUNK)
        note: dict[str, Any] = {
            'episode_index': episode.index, 'tasks': [episode.text], 'length': episode.frames,
            'data/chunk_index': chunk, 'data/file_index': file,
            'dataset_from_index': first, 'dataset_to_index': first + episode.frames,
            'meta/episodes/chunk_index': 0, 'meta/episodes/file_index': 0,
        }  # fmt: skip
        for view in self.layout.views:
            start = f'videos/{video_key(view)}'
            note |= {f'{start}/chunk_index': chunk, f'{start}/file_index': file,
                     f'{start}/from_timestamp': 0.0,
                     f'{start}/to_timestamp': episode.frames / self.rate_hz}  # fmt: skip
        for name, values in self._statistics(episode).items():
            note |= {f'stats/{name}/{kind}': value for kind, value in values.items()}
        return note

    def _statistics(self, episode: WrittenEpisode) -> dict[str, dict[str, Any]]:
        return column_statistics(episode.table)

    def _write_json(self, name: str, values: dict[str, Any]) -> None:
        (self.root / 'meta' / name).write_text(json.dumps(values, indent=2), encoding='utf-8')

    def _write_lines(self, name: str, notes: list[dict[str, Any]]) -> None:
        text = ''.join(json.dumps(note, ensure_ascii=False) + '\n' for note in notes)
        (self.root / 'meta' / name).write_text(text, encoding='utf-8')


def _places(index: int) -> dict[str, int]:
    chunk, file = divmod(index, CHUNK)
    return {'episode_chunk': chunk, 'episode_index': index, 'chunk_index': chunk,
            'file_index': file}  # fmt: skip


def flange_euler(seen: Observation) -> np.ndarray:
    """Return x, y, z (m) and extrinsic xyz roll, pitch, yaw (rad) of the flange, as DROID's."""
    rotation = quaternion_to_matrix(torch.from_numpy(seen.quaternion))
    return np.concatenate([seen.position, matrix_to_euler_xyz(rotation).numpy()])


def _typed(table: dict[str, Any]) -> dict[str, Any]:
    """Columns as parquet has them: vectors become lists."""
    return {
        name: values.tolist() if isinstance(values, np.ndarray) and values.ndim == 2 else values
        for name, values in table.items()
    }
