# SPDX-License-Identifier: Apache-2.0
"""Episodes in Ctrl-World's layout: annotations, latents per view, videos per view.

    annotation/{train,val}/ID.json     texts, success, poses at 15 Hz or at the model's rate
    latent_videos/{train,val}/ID/V.pt  float32 (frames, channels, rows, columns), scaled
    videos/{train,val}/ID/V.mp4        at the model's rate

    latents.json                       written by `extract-latents`: the factor that latents
                                       were scaled by (SVD's if absent), the model's period

At the usual 5 Hz model frame k is row 3 k of the arrays at 15 Hz (`observation.state.*`).
Annotations of newer set-ups have `states` at the model's rate instead.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vidplan_core.world_model.autoencoders.config import SCALING_FACTOR
from vidplan_eval.datasets.episode import (
    Joints,
    Picture,
    Poses,
    RecordedEpisode,
    check_lengths,
    numbers,
    require_radians,
)
from vidplan_eval.datasets.errors import (
    MISSING_COLUMN,
    MISSING_FILE,
    UNREADABLE,
    WRONG_SHAPE,
    EpisodeError,
)
from vidplan_eval.datasets.video import VideoSpan, count_frames, decode

FRAME_PERIOD_S = 0.2
RATE_HZ = 15.0
# Ctrl-World stores latents of Stable Video Diffusion's autoencoder times this.
SVD_SCALE = SCALING_FACTOR
ABOUT_LATENTS = 'latents.json'
POSE = 'observation.state.cartesian_position'
GRIPPER = 'observation.state.gripper_position'
JOINTS = 'observation.state.joint_position'
VELOCITY = 'action.joint_velocity'


class CtrlWorldSource:
    """A data set folder in Ctrl-World's layout.

    Args:
        data: the folder with `annotation/`.
        size: height and width of pictures; None keeps the videos'.

    Raises FileNotFoundError when there are no annotations.
    """

    def __init__(self, data: Path, size: tuple[int, int] | None = None) -> None:
        self.name = f'Ctrl-World episodes in {data}'
        self.views: tuple[str, ...] = ('left', 'right', 'wrist')
        self._data, self._size = data, size
        self._scale, self.frame_period_s = about_latents(data)
        self._stride = round(self.frame_period_s * RATE_HZ)
        if not any((data / 'annotation').glob('*/*.json')):
            raise FileNotFoundError(f'no annotation/{{train,val}}/ID.json in {data}')

    def ids(self, held_out: bool) -> list[str]:
        """Split and number, such as `train/17`, by number."""
        part = 'val' if held_out else 'train'
        names = [path.stem for path in (self._data / 'annotation' / part).glob('*.json')]
        return [f'{part}/{n}' for n in sorted(names, key=lambda n: (n.zfill(12), n))]

    def read(self, episode: str) -> RecordedEpisode:
        """See `Source`."""
        file = self._data / 'annotation' / f'{episode}.json'
        note = _read_json(episode, file)
        poses = self._poses(episode, file, note)
        latents = self._paths(note, 'latent_videos', 'latent_video_path')
        videos = self._paths(note, 'videos', 'video_path')
        count = (lambda path: len(load_latents(episode, path))) if latents else None
        counts = {
            path.name: count(path) if count else count_frames(episode, path)
            for path in latents or videos
        }
        check_lengths(episode, file, {'poses': len(poses.position), **counts})
        return RecordedEpisode(
            id=episode,
            file=file,
            poses=poses,
            frame_period_s=self.frame_period_s,
            text=next((text for text in note.get('texts', []) if text), ''),
            success=bool(note['success']) if 'success' in note else None,
            pictures=partial(self._pictures, episode, videos, len(poses.position))
            if videos
            else None,
            latents=partial(stack_latents, episode, latents, self._scale) if latents else None,
            joints=partial(_joints, episode, file, note) if JOINTS in note else None,
        )

    def _poses(self, episode: str, file: Path, note: dict[str, Any]) -> Poses:
        if POSE in note and GRIPPER in note:
            pose = numbers(note[POSE], episode, file, POSE, 6)
            gripper = numbers(note[GRIPPER], episode, file, GRIPPER)
            check_lengths(episode, file, {POSE: len(pose), GRIPPER: len(gripper)})
            require_radians(pose[:, 3:], episode, file, POSE)
            return Poses.from_euler(pose[:: self._stride], gripper[:: self._stride])
        if 'states' not in note:
            raise EpisodeError(episode, MISSING_COLUMN, file, f"neither '{POSE}' nor 'states'")
        states = numbers(note['states'], episode, file, 'states', 7)
        require_radians(states[:, 3:6], episode, file, 'states')
        return Poses.from_euler(states[:, :6], states[:, 6])

    def _paths(self, note: dict[str, Any], group: str, key: str) -> list[Path]:
        """Files that an annotation names; none where not a single one is there.

        Annotations of new set-ups name latents that nobody has made yet.
        """
        named = [self._data / entry[key] for entry in note.get(group, [])]
        return named if any(path.exists() for path in named) else []

    def _pictures(self, episode: str, files: list[Path], frames: int) -> Iterator[Picture]:
        clips = [VideoSpan(file, 1.0 / self.frame_period_s, frames) for file in files]
        views = [decode(episode, clip, range(frames), self._size) for clip in clips]
        for pictures in zip(*views, strict=True):
            yield np.stack(pictures)


def load_latents(episode: str, file: Path) -> Tensor:
    """Latents of one view, (frames, channels, rows, columns), mapped into memory."""
    try:
        latents = torch.load(file, map_location='cpu', mmap=True, weights_only=True)
    except FileNotFoundError as error:
        raise EpisodeError(episode, MISSING_FILE, file, 'no such latents') from error
    except (RuntimeError, EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise EpisodeError(episode, UNREADABLE, file, reason) from error
    if not isinstance(latents, Tensor) or latents.ndim != 4:
        shape = tuple(latents.shape) if isinstance(latents, Tensor) else type(latents).__name__
        detail = f'{shape}, not (frames, channels, rows, columns)'
        raise EpisodeError(episode, WRONG_SHAPE, file, detail)
    return latents


def about_latents(data: Path) -> tuple[float, float]:
    """The factor that latents were multiplied by when they were stored, and their period, s."""
    about = data / ABOUT_LATENTS
    if not about.exists():
        return SVD_SCALE, FRAME_PERIOD_S
    note = json.loads(about.read_text())
    return float(note['scale']), float(note['frame_period_s'])


def stack_latents(episode: str, files: list[Path], scale: float) -> Tensor:
    """Latents of all views, one above the other, (frames, channels, views * rows, columns)."""
    views = [load_latents(episode, file) for file in files]
    shapes = {tuple(view.shape) for view in views}
    if len(shapes) > 1:
        raise EpisodeError(episode, WRONG_SHAPE, files[0].parent, f'views differ: {shapes}')
    return torch.cat(views, dim=2) / scale


def _joints(episode: str, file: Path, note: dict[str, Any]) -> Joints:
    missing = [name for name in (POSE, JOINTS, GRIPPER) if name not in note]
    if missing:
        raise EpisodeError(episode, MISSING_COLUMN, file, f'no {missing}')
    widths = {POSE: 6, JOINTS: 7, GRIPPER: None, VELOCITY: 7}
    present = {name: width for name, width in widths.items() if name in note}
    arrays = {n: numbers(note[n], episode, file, n, width) for n, width in present.items()}
    check_lengths(episode, file, {name: len(array) for name, array in arrays.items()})
    require_radians(arrays[JOINTS], episode, file, JOINTS)
    return Joints(
        arrays[POSE], arrays[JOINTS], arrays.get(VELOCITY), arrays[GRIPPER], 1.0 / RATE_HZ
    )


def _read_json(episode: str, file: Path) -> dict[str, Any]:
    try:
        note = json.loads(file.read_text())
    except FileNotFoundError as error:
        raise EpisodeError(episode, MISSING_FILE, file, 'no such annotation') from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise EpisodeError(episode, UNREADABLE, file, f'not valid json: {error}') from error
    if not isinstance(note, dict):
        raise EpisodeError(episode, UNREADABLE, file, 'not one json object')
    return note
