# SPDX-License-Identifier: Apache-2.0
"""DROID, or a data set recorded like it, in LeRobot's format (see lerobot_layout.py)."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow
import pyarrow.compute as compute
import pyarrow.parquet as parquet
import torch

from vidplan_core.data.picture_size import decode_picture
from vidplan_core.errors import ConfigError
from vidplan_core.geometry.fk import flange_pose
from vidplan_core.geometry.se3 import matrix_to_euler_xyz
from vidplan_core.models.mistaken import mistaken_for
from vidplan_eval.datasets.episode import (
    Joints,
    Picture,
    Poses,
    RecordedEpisode,
    check_lengths,
    require_radians,
)
from vidplan_eval.datasets.errors import (
    MISSING_COLUMN,
    MISSING_FILE,
    TOO_SHORT,
    UNREADABLE,
    EpisodeError,
)
from vidplan_eval.datasets.lerobot_columns import Columns, column_numbers, has_column
from vidplan_eval.datasets.lerobot_layout import ListedEpisode, read_layout
from vidplan_eval.datasets.video import VideoSpan, count_frames, decode, fit

HELD_OUT = 100
USUAL_PERIOD_S = 0.2
# Of cadene/droid_1.0.1, in the order of Ctrl-World's views.
CAMERAS = (
    'observation.images.exterior_1_left',
    'observation.images.exterior_2_left',
    'observation.images.wrist_left',
)


# Where other recorders say whether an episode succeeded: in its last step, or by a full reward.
SUCCESSES, REWARD, FULL_REWARD = ('next.success', 'success'), 'next.reward', 1.0


class LeRobotSource:
    """A LeRobot data set of version 2.0, 2.1 or 3.0.

    Every hundredth episode is held out, as in Ctrl-World's training; of fewer, the last tenth.

    Args:
        data: the folder with `meta/`.
        cameras: video of each view, in the order of the views.
        frame_period_s: between model frames; a multiple of the recording's. None takes 0.2 s,
            or every frame where 0.2 s is no multiple.
        size: height and width of pictures; None keeps the videos'.
        columns: names in the tables.

    Raises FileNotFoundError without metadata, ConfigError when they do not fit.
    """

    def __init__(
        self,
        data: Path,
        cameras: Sequence[str] = CAMERAS,
        frame_period_s: float | None = 0.2,
        size: tuple[int, int] | None = None,
        columns: Columns | None = None,
    ) -> None:
        self.name = f'LeRobot episodes in {data}'
        self.views: tuple[str, ...] = ('left', 'right', 'wrist')
        if len(cameras) != len(self.views):
            raise ConfigError(f'{len(self.views)} cameras are needed {self.views}, not {cameras}')
        self._columns, self._size = columns or Columns(), size
        self._layout = read_layout(data, cameras)
        steps = (frame_period_s or USUAL_PERIOD_S) * self._layout.rate_hz
        if frame_period_s is None and abs(steps - round(steps)) > 1e-3:
            steps = 1.0
        self.frame_period_s = frame_period_s or steps / self._layout.rate_hz
        self._stride = round(steps)
        if self._stride < 1 or abs(steps - self._stride) > 1e-3:
            raise ConfigError(
                f'frames of {frame_period_s} s cannot be taken from {self._layout.rate_hz} Hz; '
                f'choose a multiple of {1 / self._layout.rate_hz:.4f} s'
            )

    def ids(self, held_out: bool) -> list[str]:
        """Indices of episodes, in order."""
        every = sorted(self._layout.entries)
        chosen = {i for i in every if i % HELD_OUT == HELD_OUT - 1}
        chosen = chosen or set(every[-max(1, len(every) // 10) :])
        return [str(index) for index in every if (index in chosen) == held_out]

    def read(self, episode: str) -> RecordedEpisode:
        """See `Source`."""
        entry, names = self._layout.entries[int(episode)], self._columns
        rows = _rows(episode, entry)
        if not len(rows):
            raise EpisodeError(episode, TOO_SHORT, entry.table, 'it has no row of this episode')
        gripper = column_numbers(rows, names.gripper, episode, entry.table)
        pose = self._pose(rows, episode, entry)
        self._check_videos(episode, entry, len(rows))
        return RecordedEpisode(
            id=episode,
            file=entry.table,
            poses=Poses.from_euler(pose[:: self._stride], gripper[:: self._stride]),
            frame_period_s=self.frame_period_s,
            text=entry.text or str(_first(rows, names.text) or ''),
            success=_success(rows, names.success),
            pictures=partial(self._pictures, episode, entry),
            joints=partial(self._joints, episode, entry),
        )

    def _pose(self, rows: pyarrow.Table, episode: str, entry: ListedEpisode) -> np.ndarray:
        """As recorded, or as it follows from the joints: (rows, 6), see `Columns.pose`."""
        names = self._columns
        if has_column(rows, names.pose) or not has_column(rows, names.joints):
            pose = column_numbers(rows, names.pose, episode, entry.table, 6)
            require_radians(pose[:, 3:], episode, entry.table, names.pose)
            return pose
        joints = self._angles(rows, episode, entry)
        position, rotation = flange_pose(torch.from_numpy(joints))
        return torch.cat([position, matrix_to_euler_xyz(rotation)], dim=-1).numpy()

    def _angles(self, rows: pyarrow.Table, episode: str, entry: ListedEpisode) -> np.ndarray:
        name = self._columns.joints
        joints = column_numbers(rows, name, episode, entry.table, 7)
        require_radians(joints, episode, entry.table, name)
        return joints

    def _check_videos(self, episode: str, entry: ListedEpisode, rows: int) -> None:
        """The metadata, the table and the videos must have the same number of steps."""
        lengths = {'metadata': entry.rows, 'table': rows}
        for camera, (file, start_s) in entry.videos.items():
            count = count_frames(episode, file)
            own = count - round(start_s * self._layout.rate_hz)
            # A file says 0 when it does not know; in a shared one other episodes may follow.
            lengths[camera] = (min(own, rows) if self._layout.joined else own) if count else rows
        check_lengths(episode, entry.table, lengths)

    def _pictures(self, episode: str, entry: ListedEpisode) -> Iterator[Picture]:
        views = [self._view(episode, entry, camera) for camera in self._layout.cameras]
        for pictures in zip(*views, strict=True):
            yield np.stack(pictures)

    def _view(self, episode: str, entry: ListedEpisode, camera: str) -> Iterator[Picture]:
        """Pictures of one camera, from its video or from the table."""
        wanted = range(0, entry.rows, self._stride)
        if camera in entry.videos:
            file, start_s = entry.videos[camera]
            span = VideoSpan(file, self._layout.rate_hz, entry.rows, start_s)
            yield from decode(episode, span, wanted, self._size)
            return
        rows = _rows(episode, entry)
        if camera not in rows.column_names:
            detail = f"'{camera}'; the table has {', '.join(rows.column_names)}"
            raise EpisodeError(episode, MISSING_COLUMN, entry.table, detail)
        for number in wanted:
            yield fit(_picture(rows[camera][number].as_py(), episode, entry, number), self._size)

    def _joints(self, episode: str, entry: ListedEpisode) -> Joints:
        rows, names = _rows(episode, entry), self._columns
        commanded = has_column(rows, names.velocity)
        return Joints(
            self._pose(rows, episode, entry),
            self._angles(rows, episode, entry),
            column_numbers(rows, names.velocity, episode, entry.table, 7) if commanded else None,
            column_numbers(rows, names.gripper, episode, entry.table),
            1.0 / self._layout.rate_hz,
        )


def _rows(episode: str, entry: ListedEpisode) -> pyarrow.Table:
    """Rows of one episode, in the order of its frames."""
    try:
        table = _table(entry.table)
        if 'episode_index' in table.column_names:
            mine = compute.equal(table['episode_index'], entry.index)
            table = table.filter(mine)
        if 'frame_index' in table.column_names:
            table = table.sort_by('frame_index')
    except FileNotFoundError as error:
        raise EpisodeError(episode, MISSING_FILE, entry.table, 'no such table') from error
    except (pyarrow.ArrowException, OSError) as error:
        detail = mistaken_for(entry.table) or str(error)
        raise EpisodeError(episode, UNREADABLE, entry.table, detail) from error
    return table


@functools.lru_cache(maxsize=2)
def _table(file: Path) -> pyarrow.Table:
    """A whole table; cached, because version 3 keeps many episodes in one."""
    return parquet.read_table(file)


def _picture(
    stored: dict[str, Any] | None, episode: str, entry: ListedEpisode, number: int
) -> Picture:
    """A picture (height, width, 3), rgb, that the table itself holds, as png or jpeg."""
    if not isinstance(stored, dict | None):
        detail = f'pictures are kept as {type(stored).__name__}; png or jpeg is wanted'
        raise EpisodeError(episode, UNREADABLE, entry.table, detail)
    data = (stored or {}).get('bytes') or b''
    place = (stored or {}).get('path')
    try:
        return np.asarray(decode_picture(data, cv2.IMREAD_COLOR_RGB), np.uint8)
    except ValueError as error:
        why = f', which lies elsewhere: {place}' if place and not data else f': {error}'
        detail = f'the picture of row {number}{why}'
        raise EpisodeError(episode, UNREADABLE, entry.table, detail) from error


def _success(rows: pyarrow.Table, name: str) -> bool | None:
    """Whether the task was done, by whichever column says so; None where none does."""
    if (flag := _first(rows, name)) is not None:
        return bool(flag)
    for other in SUCCESSES:
        if other in rows.column_names and len(rows):
            return bool(np.any(rows[other].to_pylist()))
    if REWARD in rows.column_names and len(rows):
        return bool(np.max(rows[REWARD].to_pylist()) >= FULL_REWARD)
    return None


def _first(rows: pyarrow.Table, name: str) -> Any:
    """First value of an optional column; lists of one are unpacked."""
    if name not in rows.column_names or not len(rows):
        return None
    value = rows[name][0].as_py()
    return value[0] if isinstance(value, list) and value else value
