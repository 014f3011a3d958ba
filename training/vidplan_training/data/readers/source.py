# SPDX-License-Identifier: Apache-2.0
"""Choosing a source of episodes."""

from __future__ import annotations
from vidplan_core.knobs import knob

from dataclasses import dataclass
from pathlib import Path

from vidplan_training.data.readers.cell import CellSource
from vidplan_eval.datasets.ctrl_world import CtrlWorldSource
from vidplan_eval.datasets.episode import Source
from vidplan_eval.datasets.lerobot import CAMERAS, LeRobotSource
from vidplan_eval.datasets.lerobot_columns import Columns
from vidplan_training.settings.knobs import Settings, required

SOURCES = ('cell', 'ctrl-world', 'lerobot')
SOURCE_TEXT = 'layout of the folder: of collect, of Ctrl-World, or of LeRobot (DROID)'
# Of Ctrl-World's views; the cell keeps its own.
HEIGHT, WIDTH = 192, 320


@dataclass(frozen=True, kw_only=True)
class EpisodeSource(Settings):
    """Recorded episodes, and what depends on how they are laid out."""

    data: Path = required('folder of recorded episodes')
    source: str = required(SOURCE_TEXT, choices=SOURCES)
    cameras: tuple[str, str, str] = knob(
        CAMERAS, 'left, right and wrist camera of a LeRobot data set; usual: those of DROID'
    )
    size: tuple[int, int] | None = knob(
        None,
        f'height and width of a view, pixels; none: {HEIGHT} {WIDTH}, and the cell keeps its own',
        low=1,
    )
    frame_period: float = knob(0.2, 'of LeRobot data, s', low=1e-3)
    columns: tuple[str, ...] = knob(
        (),
        "columns of LeRobot data that are named otherwise than DROID's, as name=column, such as "
        'pose=observation.state[0:6]; names: pose, gripper, joints, velocity, success, text',
    )


@dataclass(frozen=True, kw_only=True)
class AnyEpisodes(EpisodeSource):
    """Recorded episodes of any source, read as the cell's are (see data/robot_shards.py)."""

    source: str = knob('cell', SOURCE_TEXT, choices=SOURCES)
    shards: Path | None = knob(
        None, "folder to keep a robot's episodes in, in the cell's layout; none for source=cell"
    )
    most_episodes: int = knob(
        1000, "taken of a robot's data set, evenly spread, of each split", low=1
    )


def open_source(settings: EpisodeSource) -> Source:
    """The source that the settings name."""
    if settings.source == 'cell':
        return CellSource(settings.data, settings.size)
    size = settings.size or (HEIGHT, WIDTH)
    if settings.source == 'ctrl-world':
        return CtrlWorldSource(settings.data, size=size)
    columns = Columns.named(settings.columns)
    return LeRobotSource(settings.data, settings.cameras, settings.frame_period, size, columns)
