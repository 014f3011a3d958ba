# SPDX-License-Identifier: Apache-2.0
"""Encode recorded episodes once, into Ctrl-World's layout (see readers/ctrl_world.py)."""

from __future__ import annotations
from vidplan_core.knobs import knob

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vidplan_core.data.action import DROID_STATS, EulerStats
from vidplan_core.errors import ConfigError
from vidplan_core.models.precision import fast_precision
from vidplan_core.models.io import WEIGHTS
from vidplan_core.world_model.autoencoders.build import load_autoencoder
from vidplan_core.models.io import to_dict
from vidplan_training.data.dataset import split
from vidplan_training.data.latents import encode_shards
from vidplan_training.engine.processes import Processes
from vidplan_eval.datasets.ctrl_world import (
    ABOUT_LATENTS,
    GRIPPER,
    JOINTS,
    POSE,
    RATE_HZ,
    SVD_SCALE,
    VELOCITY,
    CtrlWorldSource,
)
from vidplan_eval.datasets.episode import RecordedEpisode, Source
from vidplan_eval.datasets.errors import NO_PICTURES, NOT_FINITE, EpisodeError
from vidplan_training.data.readers.source import EpisodeSource, open_source
from vidplan_training.data.readers.walk import Walk
from vidplan_training.settings.knobs import required

PICTURES_AT_ONCE = 24
STATISTICS = 'stat.json'


@dataclass(frozen=True, kw_only=True)
class ExtractSettings(EpisodeSource):
    """Encode recorded episodes once."""

    out: Path | None = knob(None, 'folder to write; none for layout cell')
    autoencoder: Path = required('folder of config.json and weights')
    layout: str = knob(
        'ctrl-world',
        'cell: latents.npy beside the arrays of source cell',
        choices=('ctrl-world', 'cell'),
    )
    released_statistics: bool = knob(
        False, 'for the released checkpoint: its own percentiles of poses, not those of the data'
    )


def run(settings: ExtractSettings) -> int:
    """Encode every episode that is not encoded yet; then write the percentiles of poses."""
    if settings.layout == 'cell':
        if settings.source != 'cell':
            raise ConfigError('--layout cell is for --source cell only')
        shards = split(settings.data, False) + split(settings.data, True)
        encode_shards(shards, load_autoencoder(settings.autoencoder))
        return 0
    if settings.out is None:
        raise ConfigError('say where the latents shall be: --out DIR')
    extract(open_source(settings), settings.out, settings.autoencoder)
    if Processes().main:
        write_statistics(settings.out, settings.released_statistics)
    return 0


def extract(source: Source, out: Path, folder: Path) -> None:
    """Encode a source with the autoencoder of a folder; processes share the episodes.

    Resumable: an episode with an annotation is complete. Raises ConfigError when `out` was
    begun with another autoencoder.
    """
    processes = Processes()
    autoencoder = load_autoencoder(folder).to(processes.device)
    scale = SVD_SCALE if getattr(autoencoder.config, 'kind', '') == 'temporal' else 1.0
    if processes.main:
        about = {
            'scale': scale,
            'frame_period_s': source.frame_period_s,
            'autoencoder': to_dict(autoencoder.config),
            'weights_sha256': hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest(),
        }
        _remember(out, about)
    processes.wait()
    for held_out in (False, True):
        walk = Walk(source, held_out, part=(processes.index, processes.count))
        for episode in walk:
            with walk.attempt():
                _extract_one(episode, 'val' if held_out else 'train', out, autoencoder, scale)
    processes.wait()


def write_statistics(out: Path, released: bool) -> EulerStats:
    """Percentiles 1 and 99 of the training poses, in stat.json.

    What is there already stays: a model goes on with the statistics that it was trained with.
    With `released` they are those of the released Ctrl-World checkpoint, whatever the data.
    """
    path = out / STATISTICS
    if path.exists():
        stored = json.loads(path.read_text())
        return EulerStats(tuple(stored['state_01']), tuple(stored['state_99']))
    stats = DROID_STATS if released else measure(CtrlWorldSource(out))
    path.write_text(json.dumps({'state_01': list(stats.p01), 'state_99': list(stats.p99)}))
    return stats


def measure(source: Source) -> EulerStats:
    """Percentiles 1 and 99 of x, y, z, roll, pitch, yaw and closedness of training episodes."""
    states = torch.cat([episode.poses.states for episode in Walk(source, held_out=False)]).numpy()
    low, high = np.percentile(states, [1, 99], axis=0)
    return EulerStats(tuple(low.tolist()), tuple(high.tolist()))


def _remember(out: Path, about: dict[str, Any]) -> None:
    path = out / ABOUT_LATENTS
    if path.exists():
        before = json.loads(path.read_text())
        for key in ('weights_sha256', 'frame_period_s'):
            if before.get(key) != about[key]:
                raise ConfigError(
                    f'{out} was begun with {key} {before.get(key)}, not {about[key]}; choose '
                    'another folder'
                )
        return
    out.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(about, indent=1) + '\n')


def _extract_one(episode: RecordedEpisode, part: str, out: Path, autoencoder: Any, scale: float) -> None:
    name = f'{part}/{_name(episode)}'
    note = out / 'annotation' / f'{name}.json'
    if note.exists():
        return
    latents = scale * _encode(episode, autoencoder)
    if not bool(latents.isfinite().all()):
        raise EpisodeError(episode.id, NOT_FINITE, episode.file, 'latents of its pictures')
    files = []
    for view, one in enumerate(latents.unbind(1)):
        file = out / 'latent_videos' / name / f'{view}.pt'
        file.parent.mkdir(parents=True, exist_ok=True)
        torch.save(one.contiguous().clone(), file)
        files.append({'latent_video_path': str(file.relative_to(out))})
    note.parent.mkdir(parents=True, exist_ok=True)
    begun = note.with_suffix('.part')
    begun.write_text(json.dumps(_annotation(episode, files)))
    begun.replace(note)


def _name(episode: RecordedEpisode) -> str:
    return episode.id.removeprefix('train/').removeprefix('val/').replace('/', '_')


@torch.no_grad()
def _encode(episode: RecordedEpisode, autoencoder: Any) -> Tensor:
    """Latents (frames, views, channels, rows, columns), float32, on the CPU."""
    device = next(autoencoder.parameters()).device
    parts = []
    for pictures in _batches(episode):
        pixels = torch.from_numpy(pictures).to(device).permute(0, 1, 4, 2, 3)
        with fast_precision(device):
            latents = autoencoder.encode(pixels.flatten(0, 1).float() / 127.5 - 1.0)
        parts.append(latents.float().cpu().unflatten(0, pixels.shape[:2]))
    return torch.cat(parts)


def _batches(episode: RecordedEpisode) -> Iterator[np.ndarray]:
    """Pictures (frames, views, height, width, 3), some at a time."""
    if episode.pictures is None:
        raise EpisodeError(episode.id, NO_PICTURES, episode.file, 'nothing to encode')
    waiting: list[np.ndarray] = []
    for picture in episode.pictures():
        waiting.append(picture)
        if len(waiting) * len(picture) >= PICTURES_AT_ONCE:
            yield np.stack(waiting)
            waiting = []
    if waiting:
        yield np.stack(waiting)


def _annotation(episode: RecordedEpisode, files: list[dict[str, str]]) -> dict[str, Any]:
    note: dict[str, Any] = {
        'texts': [episode.text],
        'episode_id': _name(episode),
        'video_length': episode.frames,
        'state_length': episode.frames,
        'latent_videos': files,
        'states': episode.poses.states.tolist(),
    }
    if episode.success is not None:
        note['success'] = int(episode.success)
    joints = episode.joints() if episode.joints is not None else None
    # The layout knows these arrays at one rate only.
    if joints is not None and abs(joints.period_s * RATE_HZ - 1) < 1e-3:
        note['raw_length'] = len(joints.position)
        arrays = (joints.pose, joints.position, joints.closedness, joints.velocity)
        note |= {
            name: array.tolist()
            for name, array in zip((POSE, JOINTS, GRIPPER, VELOCITY), arrays, strict=True)
            if array is not None
        }
    return note
