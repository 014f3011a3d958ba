# SPDX-License-Identifier: Apache-2.0
"""Parts that the cell's objects are made of: primitives and meshes of revolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Rgb = tuple[float, float, float]
Vector = tuple[float, float, float]
Mesh = tuple[np.ndarray, np.ndarray]  # vertices (V, 3) m, triangles (T, 3)


@dataclass(frozen=True)
class Part:
    """One geom of an object: its shape in the object's frame, colour and role.

    `role` is 'both' (seen and touched), 'look' (seen only) or 'touch' (contact only).
    """

    shape: str
    size: tuple[float, ...]
    position: Vector
    rgb: Rgb = (0.5, 0.5, 0.5)
    role: str = 'look'
    axis: Vector = (0.0, 0.0, 1.0)  # direction of the part's own z axis
    mesh: Any = None  # Mesh, for shape 'mesh'
    quat: tuple[float, float, float, float] | None = None  # wxyz, instead of axis


def ball(radius: float, at: Vector, rgb: Rgb, role: str = 'look') -> Part:
    """A sphere."""
    return Part('sphere', (radius,), at, rgb, role)


def egg(half: Vector, at: Vector, rgb: Rgb, role: str = 'look', tilt: float = 0.0) -> Part:
    """An ellipsoid with half axes in the object's frame, tilted about its y axis (rad)."""
    quat = (float(np.cos(tilt / 2)), 0.0, float(np.sin(tilt / 2)), 0.0)
    return Part('ellipsoid', half, at, rgb, role, quat=quat)


def box(half: Vector, at: Vector, rgb: Rgb = (0.5, 0.5, 0.5), role: str = 'look',
        yaw: float = 0.0) -> Part:
    """A box with half sides, turned about its z axis (rad)."""
    quat = (float(np.cos(yaw / 2)), 0.0, 0.0, float(np.sin(yaw / 2)))
    return Part('box', half, at, rgb, role, quat=quat)


def can(radius: float, half_length: float, at: Vector, rgb: Rgb = (0.5, 0.5, 0.5),
        role: str = 'look', axis: Vector = (0.0, 0.0, 1.0)) -> Part:
    """A cylinder along `axis`."""
    return Part('cylinder', (radius, half_length), at, rgb, role, axis)


def rod(start: Vector, end: Vector, radius: float, rgb: Rgb = (0.5, 0.5, 0.5),
        role: str = 'look') -> Part:
    """A capsule between two points."""
    a, b = np.array(start), np.array(end)
    middle, along = (a + b) / 2, b - a
    length = float(np.linalg.norm(along))
    return Part('capsule', (radius, length / 2), tuple(middle.tolist()), rgb, role,
                tuple((along / length).tolist()))


def turned(profile: Sequence[tuple[float, float]], rgb: Rgb, at: Vector = (0.0, 0.0, 0.0),
           axis: Vector = (0.0, 0.0, 1.0), sides: int = 24) -> Part:
    """A surface of revolution of (radius, height) points, listed with the outside on the left
    when going up; seen only.
    """
    return Part('mesh', (), at, rgb, 'look', axis, mesh=lathe(profile, sides))


def lathe(profile: Sequence[tuple[float, float]], sides: int) -> Mesh:
    """Vertices and triangles of the surface that a profile sweeps about the z axis."""
    angles = np.linspace(0.0, 2 * np.pi, sides, endpoint=False)
    rows = [
        np.stack([r * np.cos(angles), r * np.sin(angles), np.full(sides, z)], axis=1)
        for r, z in profile
    ]
    faces = []
    for row in range(len(profile) - 1):
        for k in range(sides):
            a, b = row * sides + k, row * sides + (k + 1) % sides
            faces += [(a, b, b + sides), (a, b + sides, a + sides)]
    return np.concatenate(rows), np.array(faces, dtype=np.int32)


def quaternion_of(part: Part) -> tuple[float, ...]:
    """Orientation of a part, wxyz."""
    if part.quat is not None:
        return part.quat
    z = np.array(part.axis, dtype=float)
    z /= np.linalg.norm(z)
    # Shortest turn that carries the z axis to `axis`.
    quat = np.array([1.0 + z[2], -z[1], z[0], 0.0])
    if quat[0] < 1e-9:
        quat = np.array([0.0, 1.0, 0.0, 0.0])
    return tuple((quat / np.linalg.norm(quat)).tolist())
