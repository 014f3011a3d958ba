# SPDX-License-Identifier: Apache-2.0
"""The arm as triangles that stand where its joints say, for pictures in 3-D."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# What collides is a coarser copy of what is seen; the model keeps it in this group.
_VISUAL_GROUP = 2


@dataclass(frozen=True)
class ArmMesh:
    """One part of the arm.

    Attributes:
        name: of the part.
        vertices: (V, 3) float32, m, in the part's own frame.
        faces: (F, 3) int32, counter-clockwise from outside.
        colour: (4,) uint8, RGBA.
    """

    name: str
    vertices: np.ndarray
    faces: np.ndarray
    colour: np.ndarray


class ArmMeshes:
    """The parts of the simulated arm with its hand, and their places.

    Attributes:
        parts: what is drawn; the order is that of `places`.
    """

    def __init__(self) -> None:
        """Load the arm.

        Raises:
            RobotModelMissing: the package with the model is not installed.
        """
        import mujoco

        from vidplan_sim.arm.franka import load_robot

        self._model = load_robot().compile()
        self._data = mujoco.MjData(self._model)
        model = self._model
        mesh = int(mujoco.mjtGeom.mjGEOM_MESH)
        self._geoms = [
            geom
            for geom in range(model.ngeom)
            if model.geom_type[geom] == mesh and model.geom_group[geom] == _VISUAL_GROUP
        ]
        self.parts = [self._part(geom) for geom in self._geoms]

    def _part(self, geom: int) -> ArmMesh:
        model = self._model
        mesh = model.geom_dataid[geom]
        first, count = model.mesh_vertadr[mesh], model.mesh_vertnum[mesh]
        begin, faces = model.mesh_faceadr[mesh], model.mesh_facenum[mesh]
        material = model.geom_matid[geom]
        rgba = model.mat_rgba[material] if material >= 0 else model.geom_rgba[geom]
        return ArmMesh(
            f'{model.body(model.geom_bodyid[geom]).name}_{geom}',
            model.mesh_vert[first : first + count].copy(),
            model.mesh_face[begin : begin + faces].copy(),
            (np.clip(rgba, 0.0, 1.0) * 255).astype(np.uint8),
        )

    def places(self, q: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the position (3,), m, and rotation (3, 3) of every part for angles (7,), rad."""
        import mujoco

        self._data.qpos[: len(q)] = q
        mujoco.mj_kinematics(self._model, self._data)
        return [
            (self._data.geom_xpos[geom].copy(), self._data.geom_xmat[geom].reshape(3, 3).copy())
            for geom in self._geoms
        ]
