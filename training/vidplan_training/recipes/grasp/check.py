# SPDX-License-Identifier: Apache-2.0
"""How far off grasps are in scenes that a head has not seen, beside where things seem to be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from vidplan_core.geometry.camera import Camera
from vidplan_core.geometry.fk import tcp_position
from vidplan_core.heads.detectors.grasp.network import GraspHead, Grasps
from vidplan_core.metrics.intervals import scene_mean_interval
from vidplan_training.collect.contact.episode import KIND_NAMES
from vidplan_training.recipes.grasp.lesson import read_things
from vidplan_training.recipes.grasp.looked import GraspMoments

BATCH = 256
NEAR_M = 0.16  # of the tool: the moments that grasps are decided in
Numbers = dict[str, object]


@torch.no_grad()
def grasps_of(head: GraspHead, cameras: Sequence[Camera], moments: GraspMoments) -> Grasps:
    """What a head says of all things."""
    parts = [
        head.grasps(read_things(cameras, part), part.places[:, 0])
        for part in map(moments.rows, torch.arange(len(moments)).split(BATCH))
    ]
    place, closing, spread = zip(*((p.place, p.closing, p.spread_m) for p in parts), strict=True)
    return Grasps(torch.cat(place), torch.cat(closing), torch.cat(spread))


def measure(head: GraspHead, cameras: Sequence[Camera], moments: GraspMoments) -> Numbers:
    """Errors of all things, and by kind of those near to the tool."""
    found = grasps_of(head, cameras, moments)
    poses = moments.poses
    tool = tcp_position(poses.position[:, 0], poses.rotation[:, 0])
    near = ((tool - moments.grasp).norm(dim=1) < NEAR_M).numpy()
    errors = {
        'beside_m': (found.place - moments.grasp)[:, :2].norm(dim=1).numpy(),
        'beside_m_without': (moments.places[:, 0, :3] - moments.grasp)[:, :2].norm(dim=1).numpy(),
        'height_m': (found.place - moments.grasp)[:, 2].abs().numpy(),
        'turned_rad': _turned(found.closing, moments.closing),
        'turned_rad_without': _turned(moments.axes[:, 0, :2], moments.closing),
    }
    scene, kinds = moments.scene.numpy(), moments.kind.numpy()
    result: Numbers = {'things': len(moments), 'all': _summary(errors, scene, np.ones_like(near))}
    result['near'] = _summary(errors, scene, near)
    for kind in np.unique(kinds):
        result[f'near {KIND_NAMES[kind]}'] = _summary(errors, scene, near & (kinds == kind))
    expected, missed = found.spread_m.numpy(), errors['beside_m']
    result['expected_m'] = [
        {'expected': float(expected[part].mean()), 'beside_m': float(missed[part].mean())}
        for part in np.array_split(np.argsort(expected), 5) if len(part)
    ]  # fmt: skip
    return result


def _turned(found: torch.Tensor, true: torch.Tensor) -> np.ndarray:
    """Angles (things,) in [0, pi/2] between two ways to close; nan where none is better."""
    angle = torch.atan2(found[:, 1], found[:, 0]) - torch.atan2(true[:, 1], true[:, 0])
    wrapped = 0.5 * torch.atan2(angle.sin(), angle.cos()).abs()
    return np.where(true.norm(dim=1).numpy() > 0.5, wrapped.numpy(), np.nan)


def _summary(errors: dict[str, np.ndarray], scene: np.ndarray, kept: np.ndarray) -> Numbers:
    """Medians, what nine of ten are below, and means with their intervals by scene."""
    found: Numbers = {'count': int(kept.sum())}
    for name, values in errors.items():
        mine = kept & np.isfinite(values)
        if mine.any():
            found[name] = float(np.median(values[mine]))
            found[f'{name}_p90'] = float(np.quantile(values[mine], 0.9))
            found[f'{name}_mean'] = float(values[mine].mean())
            found[f'{name}_mean_95'] = scene_mean_interval(values[mine], scene[mine])
    return found
