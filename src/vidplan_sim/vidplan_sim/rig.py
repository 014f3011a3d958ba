# SPDX-License-Identifier: Apache-2.0
"""A compiled model with its state, its stage and its renderer."""

from __future__ import annotations

import mujoco

from vidplan_sim.arm.servo import ArmServos
from vidplan_sim.objects.kind import ObjectKind
from vidplan_sim.render.views import Views
from vidplan_sim.scene import Scene
from vidplan_sim.staging import Stage
from vidplan_sim.world import build_model


class Rig:
    """What simulates a scene. Scenes without cloth never pay for it: it has a rig of its own."""

    def __init__(self, extra: tuple[ObjectKind, ...], *, cloth: bool) -> None:
        """Compile a cell with `extra` kinds of objects, and with the cloth or without."""
        self.model = build_model(extra, cloth=cloth)
        # MuJoCo would reset silently; `Cell.step` raises instead.
        self.model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_AUTORESET
        self.servos = ArmServos(self.model)
        self.data = mujoco.MjData(self.model)
        self._stage = Stage(self.model, tuple(kind.name for kind in extra))
        self._views: Views | None = None
        self._stale_meshes: set[int] = set()

    def enter(self, scene: Scene) -> None:
        """Edit the model for a scene and put its things into place."""
        self._stage.set(scene, self.data)
        self._stale_meshes.update(self._stage.changed_meshes)

    def views(self, height: int, width: int, *, shadows: bool) -> Views:
        """The renderer, made when it is first asked for, with the meshes of the scene."""
        if self._views is None:
            self._views = Views(self.model, height, width, shadows=shadows)
            self._stale_meshes.clear()
        if self._stale_meshes:
            self._views.reload(sorted(self._stale_meshes))
            self._stale_meshes.clear()
        return self._views

    def close(self) -> None:
        """Free the renderer."""
        if self._views is not None:
            self._views.close()
            self._views = None
