# SPDX-License-Identifier: Apache-2.0
"""A square towel of cloth: a grid of triangles that hardly stretch, bend, and touch
others and one another.

Edges are held at their length by constraints and bending is elastic, which MuJoCo's discrete
integrator takes implicitly; fingers hold the cloth by friction alone.
"""

from __future__ import annotations

import mujoco
import numpy as np

NAME = 'towel'
SIDE_M = 0.20
COUNT = 9  # vertices along a side
SPACING_M = SIDE_M / (COUNT - 1)
RADIUS_M = 0.003  # half of the thickness that others touch
MASS_KG = 0.06
# With the thickness this makes a bending stiffness of E t^3 / 12 = 7e-5 N m: terry cloth.
YOUNG_PA, THICKNESS_M = 1e5, 0.002
DAMPING_S = 1e-3
FRICTION = (1.0, 0.01, 0.0001)
PINK = (0.92, 0.42, 0.60)

# The cloth rests on a plane, which it touches with its vertices, not on the table's box, which
# each of its triangles would touch with several points.
CLOTH_BITS, PLANE_BITS, TABLE_BITS = (4, 7), (4, 4), (8, 3)

# Grid indices (i, j) of the corners; opposite ones are two apart.
CORNERS = ((0, 0), (0, COUNT - 1), (COUNT - 1, COUNT - 1), (COUNT - 1, 0))


def add_cloth(spec: mujoco.MjSpec) -> None:
    """Put the cloth into a cell, flat around the origin of the table."""
    table = spec.geom('table')
    table.contype, table.conaffinity = TABLE_BITS
    spec.worldbody.add_geom(
        name='table top', type=mujoco.mjtGeom.mjGEOM_PLANE, size=[1, 1, 1], rgba=[0, 0, 0, 0],
        contype=PLANE_BITS[0], conaffinity=PLANE_BITS[1], group=3,
        friction=[0.9, 0.005, 0.0001],
    )  # fmt: skip
    cloth = spec.worldbody.make_flex(
        NAME, 'grid', dim=2, count=[COUNT, COUNT, 1], spacing=[SPACING_M, SPACING_M, 0.01],
        mass=MASS_KG, radius=RADIUS_M, equality=1, elastic2d=1,
    )  # fmt: skip
    cloth.elem = triangles().reshape(-1)
    cloth.young, cloth.thickness, cloth.damping = YOUNG_PA, THICKNESS_M, DAMPING_S
    cloth.contype, cloth.conaffinity = CLOTH_BITS
    cloth.friction, cloth.condim = FRICTION, 4
    cloth.selfcollide = mujoco.mjtFlexSelf.mjFLEXSELF_NARROW
    cloth.rgba, cloth.group = [*PINK, 1.0], 1


def triangles() -> np.ndarray:
    """Vertex indices (triangles, 3); the diagonals alternate, so that both diagonals can fold."""
    found = []
    for i in range(COUNT - 1):
        for j in range(COUNT - 1):
            a, b = i * COUNT + j, (i + 1) * COUNT + j
            c, d = b + 1, a + 1
            found += [(a, b, c), (a, c, d)] if (i + j) % 2 == 0 else [(a, b, d), (b, c, d)]
    return np.array(found, np.int32)


def flat(x: float, y: float, yaw: float, z: float = RADIUS_M + 0.001) -> np.ndarray:
    """Vertices (COUNT, COUNT, 3) of cloth that lies flat at a place, turned by `yaw` rad."""
    along = np.linspace(-SIDE_M / 2, SIDE_M / 2, COUNT)
    u, v = np.meshgrid(along, along, indexing='ij')
    c, s = np.cos(yaw), np.sin(yaw)
    return np.stack([x + c * u - s * v, y + s * u + c * v, np.full_like(u, z)], axis=-1)


def place(model: mujoco.MjModel, data: mujoco.MjData, vertices: np.ndarray) -> None:
    """Put the cloth's vertices (COUNT, COUNT, 3) somewhere; each slides along three axes."""
    bodies = model.flex_vertbodyid
    first = model.jnt_qposadr[model.body_jntadr[bodies]]
    moved = vertices.reshape(-1, 3) - model.body_pos[bodies]
    data.qpos[first[:, None] + np.arange(3)] = moved


def vertices(data: mujoco.MjData) -> np.ndarray:
    """Where the vertices (COUNT, COUNT, 3) are, base frame, m."""
    found: np.ndarray = data.flexvert_xpos.reshape(COUNT, COUNT, 3).copy()
    return found
