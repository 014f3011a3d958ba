# SPDX-License-Identifier: Apache-2.0
"""Turn bags into training episodes, and read them back to say what was lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet

from vidplan_core.data.observation import Observation
from vidplan_core.metrics.images import psnr
from vidplan_eval.bags.observations import BagSource, ObservationStream
from vidplan_eval.bags.recording import GOAL, RESULT
from vidplan_eval.bags.rosbag import Bag
from vidplan_eval.datasets.lerobot_writer import LeRobotWriter, flange_euler
from vidplan_eval.datasets.video import VideoSpan, decode

# A stretch without gaps that is shorter is no episode, frames.
SHORTEST = 5


@dataclass(frozen=True)
class ExportedBag:
    """What became of one bag.

    Attributes:
        bag: its path.
        episodes: stretches without gaps that were written.
        frames: in them.
        short: frames in stretches that were too short.
        text: instruction.
        skipped: messages that were left out, in words.
        pose_error: largest difference of a pose that was read back, m and rad.
        psnr_db: mean over frames and views of the pictures that were read back.
    """

    bag: str
    episodes: int
    frames: int
    short: int
    text: str
    skipped: list[str]
    pose_error: float
    psnr_db: float


def export_bag(
    path: Path, writer: LeRobotWriter, source: BagSource, text: str = ''
) -> ExportedBag:
    """Write the episodes of one bag and read them back.

    Args:
        path: of the bag.
        writer: of the data set.
        source: how the bag is read.
        text: instruction; that of the bag's goal if empty.

    Raises:
        BagError: the bag has no observations.
    """
    episodes = frames = short = 0
    worst, total_db = 0.0, 0.0
    with Bag(path) as bag:
        given, success = _task(bag)
        stream = ObservationStream(bag, writer.layout, 1.0 / writer.rate_hz, source)
        for stretch in stretches(stream, 1.0 / writer.rate_hz):
            if len(stretch) < SHORTEST:
                short += len(stretch)
                continue
            writer.add(stretch, text or given, success)
            error, mean_db = read_back(writer, len(writer.episodes) - 1, stretch)
            worst, total_db = max(worst, error), total_db + mean_db * len(stretch)
            episodes, frames = episodes + 1, frames + len(stretch)
        skipped = [f'{s.count} of {t}: {s.reason}' for t, s in sorted(bag.skipped.items())]
    mean_db = total_db / frames if frames else float('nan')
    return ExportedBag(str(path), episodes, frames, short, text or given, skipped, worst, mean_db)


def _task(bag: Bag) -> tuple[str, bool | None]:
    text, success = '', None
    for role, _, message in bag.messages([GOAL, RESULT]):
        if role == GOAL:
            text, success = message.instruction, None
        else:
            success = bool(message.success)
    return text, success


def stretches(observations: Iterable[Observation], period_s: float) -> Iterator[list[Observation]]:
    """Yield observations that follow each other without a gap."""
    stretch: list[Observation] = []
    for seen in observations:
        if stretch and abs(seen.stamp_s - stretch[-1].stamp_s - period_s) > 0.5 * period_s:
            yield stretch
            stretch = []
        stretch.append(seen)
    if stretch:
        yield stretch


def read_back(writer: LeRobotWriter, index: int, seen: list[Observation]) -> tuple[float, float]:
    """Read an episode that was just written.

    Returns:
        The largest difference of a pose (m, rad) or closedness, and the mean PSNR, dB.
    """
    rows = parquet.read_table(writer.table_path(index))
    pose = np.array(rows['observation.state.cartesian_position'].to_pylist())
    closed = np.array(rows['observation.state.gripper_position'].to_pylist())
    error = max(
        float(np.abs(pose - np.array([flange_euler(one) for one in seen])).max()),
        float(np.abs(closed - np.array([one.closedness for one in seen])).max()),
    )
    found_db = [_pictures_db(writer, index, view, seen) for view in writer.layout.views]
    return error, float(np.mean(found_db))


def _pictures_db(writer: LeRobotWriter, index: int, view: str, seen: list[Observation]) -> float:
    span = VideoSpan(writer.video(index, view), writer.rate_hz, len(seen))
    pictures = decode(str(index), span, range(len(seen)), None)
    return float(
        np.mean(
            [
                float(psnr(picture, writer.layout.split(one.image)[view]))
                for picture, one in zip(pictures, seen, strict=True)
            ]
        )
    )
