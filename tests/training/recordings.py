# SPDX-License-Identifier: Apache-2.0
"""Tiny data sets of robots in the layouts that the readers know."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pyarrow
import pyarrow.parquet as parquet
import torch

from vidplan_eval.datasets.lerobot import CAMERAS
from vidplan_eval.datasets.lerobot_columns import Columns

RATE_HZ = 15
HEIGHT, WIDTH = 32, 48
NAMES = Columns()


@dataclass(frozen=True)
class Recording:
    """What really happened in an episode, at the robot's rate."""

    index: int
    pose: np.ndarray  # (steps, 6): x, y, z, roll, pitch, yaw
    gripper: np.ndarray
    joints: np.ndarray
    velocity: np.ndarray
    text: str
    success: bool

    def __len__(self) -> int:
        return len(self.pose)


def record(index: int, steps: int) -> Recording:
    """An episode with the gripper pointing down: roll is near pi and wraps."""
    rng = np.random.default_rng(index)
    velocity = rng.uniform(-0.5, 0.5, size=(steps, 7))
    drift = np.cumsum(rng.normal(size=(steps, 6)) * 0.01, axis=0)
    pose = np.array([0.5, 0.0, 0.3, np.pi, 0.0, 0.0]) + drift
    pose[:, 3] = (pose[:, 3] + np.pi) % (2 * np.pi) - np.pi
    joints = 0.1 * (index % 3) + np.cumsum(velocity / RATE_HZ, axis=0)
    gripper = np.linspace(0.0, 1.0, steps)
    return Recording(index, pose, gripper, joints, velocity, f'do thing {index}', index % 2 == 0)


def level(view: int, step: int) -> int:
    """Grey level of a step in a view: it identifies both."""
    return 20 + 70 * view + (step * 3) % 66


def write_video(file: Path, levels: list[int], rate_hz: int = RATE_HZ, **options: str) -> None:
    """Plain grey pictures with key frames now and then, so that seeking has work to do."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(file), 'w', options=options) as container:
        stream = container.add_stream('libx264', rate=rate_hz)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, 'yuv420p'
        stream.options = {'g': '8', 'crf': '10'}
        for value in levels:
            picture = np.full((HEIGHT, WIDTH, 3), value, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format='rgb24')):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def write_lerobot(root: Path, version: str, lengths: list[int]) -> list[Recording]:
    """A LeRobot data set of episodes of these lengths; returns what is in it."""
    recordings = [record(index, steps) for index, steps in enumerate(lengths)]
    write = _write_3 if version.startswith('v3') else _write_2
    templates = write(root, recordings)
    info = {
        'codebase_version': version,
        'fps': RATE_HZ,
        'chunks_size': 1000,
        'features': {camera: {'dtype': 'video'} for camera in CAMERAS},
        **templates,
    }
    (root / 'meta' / 'info.json').write_text(json.dumps(info))
    return recordings


def _write_2(root: Path, recordings: list[Recording]) -> dict[str, str]:
    templates = {
        'data_path': 'data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet',
        'video_path': 'videos/chunk-{episode_chunk:03d}/{video_key}/'
        'episode_{episode_index:06d}.mp4',
    }
    (root / 'meta').mkdir(parents=True)
    with (root / 'meta' / 'episodes.jsonl').open('w') as lines:
        for r in recordings:
            names = {'episode_chunk': 0, 'episode_index': r.index}
            note = {'episode_index': r.index, 'tasks': [r.text], 'length': len(r)}
            lines.write(json.dumps(note) + '\n')
            write_table(root / templates['data_path'].format(**names), [r])
            for view, camera in enumerate(CAMERAS):
                file = root / templates['video_path'].format(video_key=camera, **names)
                write_video(file, [level(view, step) for step in range(len(r))])
    return templates


def _write_3(root: Path, recordings: list[Recording]) -> dict[str, str]:
    """All episodes in one table and one video per camera."""
    templates = {
        'data_path': 'data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet',
        'video_path': 'videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4',
    }
    names = {'chunk_index': 0, 'file_index': 0}
    write_table(root / templates['data_path'].format(**names), recordings)
    starts = np.cumsum([0, *(len(r) for r in recordings)]) / RATE_HZ
    notes = {
        'episode_index': [r.index for r in recordings],
        'tasks': [[r.text] for r in recordings],
        'length': [len(r) for r in recordings],
        'data/chunk_index': [0] * len(recordings),
        'data/file_index': [0] * len(recordings),
    }
    for view, camera in enumerate(CAMERAS):
        prefix = f'videos/{camera}'
        notes[f'{prefix}/chunk_index'] = notes[f'{prefix}/file_index'] = [0] * len(recordings)
        notes[f'{prefix}/from_timestamp'] = starts[:-1].tolist()
        notes[f'{prefix}/to_timestamp'] = starts[1:].tolist()
        levels = [level(view, step) for r in recordings for step in range(len(r))]
        write_video(root / templates['video_path'].format(video_key=camera, **names), levels)
    file = root / 'meta' / 'episodes' / 'chunk-000' / 'file-000.parquet'
    file.parent.mkdir(parents=True)
    parquet.write_table(pyarrow.table(notes), file)
    return templates


def write_table(file: Path, recordings: list[Recording], **replaced: object) -> None:
    """Steps of episodes as LeRobot keeps them; a column replaced by None is left out."""
    columns: dict[str, object] = {
        NAMES.pose: [row for r in recordings for row in r.pose.tolist()],
        NAMES.gripper: [[value] for r in recordings for value in r.gripper.tolist()],
        NAMES.joints: [row for r in recordings for row in r.joints.tolist()],
        NAMES.velocity: [row for r in recordings for row in r.velocity.tolist()],
        NAMES.success: [r.success for r in recordings for _ in range(len(r))],
        'episode_index': [r.index for r in recordings for _ in range(len(r))],
        'frame_index': [step for r in recordings for step in range(len(r))],
    }
    columns |= replaced
    file.parent.mkdir(parents=True, exist_ok=True)
    kept = {name: values for name, values in columns.items() if values is not None}
    parquet.write_table(pyarrow.table(kept), file)


def write_ctrl_world(
    root: Path,
    training: list[int],
    held_out: list[int],
    *,
    shape: tuple[int, int, int] = (4, 2, 4),
    videos: bool = False,
) -> list[Recording]:
    """A data set in Ctrl-World's layout; lengths are of model frames.

    `shape` is that of a view's latents: channels, rows, columns.

    The latents move with the flange's x, so that there is something to learn.
    """
    recordings = []
    parts = [('train', frames) for frames in training] + [('val', frames) for frames in held_out]
    for index, (part, frames) in enumerate(parts):
        r = record(index, 3 * frames - 2)
        recordings.append(r)
        scene = np.random.default_rng(0).normal(size=(1, *shape))
        motion = 12 * (r.pose[::3, 0] - 0.5)
        latents = scene + motion[:, None, None, None]
        for view in range(3):
            file = root / 'latent_videos' / part / str(index) / f'{view}.pt'
            file.parent.mkdir(parents=True, exist_ok=True)
            torch.save(torch.from_numpy(latents + view).float(), file)
            if videos:
                levels = [level(view, step) for step in range(frames)]
                write_video(root / 'videos' / part / str(index) / f'{view}.mp4', levels, 5)
        note = {
            'texts': [r.text],
            'success': int(r.success),
            'latent_videos': [
                {'latent_video_path': f'latent_videos/{part}/{index}/{view}.pt'}
                for view in range(3)
            ],
            'videos': [
                {'video_path': f'videos/{part}/{index}/{view}.mp4'} for view in range(3) if videos
            ],
            NAMES.pose: r.pose.tolist(),
            NAMES.gripper: r.gripper.tolist(),
            NAMES.joints: r.joints.tolist(),
            NAMES.velocity: r.velocity.tolist(),
        }
        file = root / 'annotation' / part / f'{index}.json'
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(note))
    return recordings
