# SPDX-License-Identifier: Apache-2.0
"""Pictures and segmentations of the cell's three cameras."""

from __future__ import annotations

from collections.abc import Iterable

import mujoco
import numpy as np

from vidplan_sim.arm.franka import GRIPPER_BODIES
from vidplan_sim.objects import cloth
from vidplan_sim.objects.everyday import BOWL, KIND_NAMES
from vidplan_sim.objects.unseen import UNSEEN_NAMES
from vidplan_sim.render.cameras import VIEWS

SEGMENT_NAMES: tuple[str, ...] = ('background', 'robot', 'gripper', BOWL.name, *KIND_NAMES)
MAX_SIZE = (960, 1280)  # height, width of the off-screen buffer


def check_size(height: int, width: int) -> None:
    """Refuse a picture size that cannot be rendered.

    Raises:
        ValueError: the size is not within 16x16 and the off-screen buffer.
    """
    if not (16 <= height <= MAX_SIZE[0] and 16 <= width <= MAX_SIZE[1]):
        raise ValueError(f'image size {height}x{width} (height x width) is outside 16x16 to '
                         f'{MAX_SIZE[0]}x{MAX_SIZE[1]}')


class Views:
    """Renders a model at one size.

    Raises:
        ValueError: the size is not within 16x16 and the off-screen buffer.
    """

    def __init__(self, model: mujoco.MjModel, height: int, width: int, *,
                 shadows: bool = False) -> None:
        check_size(height, width)
        self._model = model
        self._renderer = mujoco.Renderer(model, height, width)
        flags = self._renderer.scene.flags
        flags[mujoco.mjtRndFlag.mjRND_SHADOW] = shadows
        flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = False
        flags[mujoco.mjtRndFlag.mjRND_SKYBOX] = False
        self._shadows = shadows
        self._segments = _segment_of_geoms(model)

    def reload(self, meshes: Iterable[int]) -> None:
        """Load meshes again whose vertices changed in the model."""
        for mesh in meshes:
            mujoco.mjr_uploadMesh(self._model, self._renderer._mjr_context, mesh)

    def render(
        self, data: mujoco.MjData, views: Iterable[str] = VIEWS
    ) -> dict[str, np.ndarray]:
        """Pictures (height, width, 3), uint8 rgb, of the views."""
        return {view: self._picture(data, view) for view in views}

    def segmentation(self, data: mujoco.MjData) -> dict[str, np.ndarray]:
        """Indices (height, width), int16, into `SEGMENT_NAMES` of all views."""
        self._renderer.enable_segmentation_rendering()
        try:
            return {view: self._ids(data, view) for view in VIEWS}
        finally:
            self._renderer.disable_segmentation_rendering()

    def close(self) -> None:
        """Free the off-screen buffer."""
        self._renderer.close()

    def _picture(self, data: mujoco.MjData, view: str) -> np.ndarray:
        self._renderer.update_scene(data, view)
        return self._renderer.render().copy()

    def _ids(self, data: mujoco.MjData, view: str) -> np.ndarray:
        self._renderer.update_scene(data, view)
        pixels = self._renderer.render()
        geom = pixels[..., 0]
        known = (pixels[..., 1] == int(mujoco.mjtObj.mjOBJ_GEOM)) & (geom >= 0)
        found = np.where(known, self._segments[np.where(known, geom, 0)], 0)
        found[pixels[..., 1] == int(mujoco.mjtObj.mjOBJ_FLEX)] = SEGMENT_NAMES.index(cloth.NAME)
        return found.astype(np.int16)


def _segment_of_geoms(model: mujoco.MjModel) -> np.ndarray:
    """Segment index (geoms,) of every geom."""
    index = {name: i for i, name in enumerate(SEGMENT_NAMES)}
    segments = np.zeros(model.ngeom, dtype=np.int16)
    for geom in range(model.ngeom):
        body = model.body(int(model.geom_bodyid[geom])).name
        if body in GRIPPER_BODIES:
            segments[geom] = index['gripper']
        elif body in index:
            segments[geom] = index[body]
        elif body != 'world' and body not in UNSEEN_NAMES:  # which no segment is named for
            segments[geom] = index['robot']
    return segments
