# SPDX-License-Identifier: Apache-2.0
"""A small made-up data set: an arm that moves while a square wanders through three views."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from vidplan_core.geometry.fk import flange_pose
from vidplan_core.geometry.robot_files import load_robot
from vidplan_core.geometry.se3 import matrix_to_euler_xyz
from vidplan_eval.datasets.episode import Joints, Poses, RecordedEpisode

VIEWS = ('left', 'right', 'wrist')
PERIOD_S, STRIDE, HEIGHT, WIDTH = 0.2, 3, 32, 64
Q_START = np.array([0.0, -0.7, 0.0, -2.3, 0.0, 1.6, 0.8])


def pictures(frames: int, order: tuple[int, ...] = (0, 1, 2)) -> Iterator[np.ndarray]:
    """Three views (3, 32, 64, 3) per frame, each with a background of its own."""
    for frame in range(frames):
        views = np.zeros((3, HEIGHT, WIDTH, 3), np.uint8)
        for view, own in enumerate(order):
            rows = np.arange(HEIGHT)[:, None, None]
            columns = np.arange(WIDTH)[:, None]
            views[view] = (128 + 90 * np.sin((own + 1) * 0.1 * rows + own * 0.2 * columns)).astype(
                np.uint8
            )
            views[view, 12:20, 2 * frame : 2 * frame + 8] = (230, 20, 20)
        yield views


def joints(frames: int) -> Joints:
    """States at three times the rate of the pictures; the fingers close on the way."""
    steps = STRIDE * frames
    position = np.tile(Q_START, (steps, 1))
    position[:, 0] += 0.01 * np.arange(steps)
    at, rotation = flange_pose(torch.from_numpy(position), load_robot('fer_hand'))
    pose = np.concatenate([at.numpy(), matrix_to_euler_xyz(rotation).numpy()], axis=1)
    # What a station measures is not what its nominal chain says.
    pose[:, :3] += 0.003
    closed = np.clip(np.linspace(-0.2, 1.2, steps), 0, 1)
    return Joints(pose, position, np.zeros((steps, 7)), closed, PERIOD_S / STRIDE)


def episode(
    name: str = '0',
    frames: int = 12,
    *,
    text: str = 'put the carrot in the bowl',
    change: Callable[[np.ndarray, np.ndarray], None] = lambda pose, closed: None,
    order: tuple[int, ...] = (0, 1, 2),
) -> RecordedEpisode:
    """An episode; `change` edits poses (steps, 6) and closedness (steps,) in place."""
    states = joints(frames)
    change(states.pose, states.closedness)
    poses = Poses.from_euler(states.pose[::STRIDE], states.closedness[::STRIDE])
    return RecordedEpisode(
        id=name,
        file=Path(f'{name}.json'),
        poses=poses,
        frame_period_s=PERIOD_S,
        text=text,
        success=True,
        pictures=lambda: pictures(frames, order),
        joints=lambda: states,
    )


@dataclass
class MadeSource:
    """A data set of episodes that are made when they are read."""

    makers: dict[str, Callable[[], RecordedEpisode]]
    name: str = 'made episodes'
    views: tuple[str, ...] = VIEWS
    frame_period_s: float = PERIOD_S
    read_names: list[str] = field(default_factory=list)

    def ids(self, held_out: bool) -> list[str]:
        """All of them are for training."""
        return [] if held_out else list(self.makers)

    def read(self, episode: str) -> RecordedEpisode:
        """Make one."""
        self.read_names.append(episode)
        return self.makers[episode]()
