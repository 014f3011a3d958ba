# SPDX-License-Identifier: Apache-2.0
"""Turns the one compiled model into a scene: places, sizes, colours, light and cameras."""

from __future__ import annotations

import colorsys

import mujoco
import numpy as np

from vidplan_sim.objects import cloth
from vidplan_sim.objects.catalogue import kind_named
from vidplan_sim.objects.everyday import BOWL, KINDS
from vidplan_sim.render import cameras
from vidplan_sim.scene import MAX_OBJECTS, TABLE_LOOKS, ObjectPlacement, Scene
from vidplan_sim.world import PARKED_GROUP

SCALE_RANGE = (0.8, 1.25)
_DROP_M = 0.002  # objects start just above the table


class Stage:
    """Edits a model in place; keeps the compiled values so that scenes do not add up.

    `changed_meshes` lists the meshes whose vertices the last `set` changed; a renderer has to
    load them again.
    """

    def __init__(self, model: mujoco.MjModel, extra: tuple[str, ...] = ()) -> None:
        """Stage a model that holds the kinds named `extra` beside the cell's own."""
        self._model = model
        fields = ('geom_size', 'geom_pos', 'geom_rbound', 'geom_aabb', 'geom_rgba', 'geom_group',
                  'body_mass', 'body_inertia', 'body_ipos', 'mesh_vert')
        self._compiled = {name: getattr(model, name).copy() for name in fields}
        names = [*(kind.name for kind in (*KINDS, BOWL)), *extra]
        self._body = {name: model.body(name).id for name in names}
        self._geoms = {name: np.flatnonzero(model.geom_bodyid == self._body[name])
                       for name in names}
        self._scales = dict.fromkeys(names, 1.0)
        self.changed_meshes: list[int] = []

    def set(self, scene: Scene, data: mujoco.MjData) -> None:
        """Edit the model for a scene, reset `data` and put the scene's objects into it.

        Raises:
            ValueError: the scene names an unknown or repeated kind, too many objects or a scale
                outside the range.
        """
        check_scene(scene)
        strange = [p.kind for p in scene.objects if p.kind not in self._body]
        if strange:
            raise ValueError(f'this cell has no {strange}: make it with unseen=True')
        placed = {placement.kind: placement for placement in (*scene.objects, scene.bowl)}
        self.changed_meshes = []
        for placement in placed.values():
            self._scale(placement.kind, placement.scale)
        self._derive_constants(data)
        mujoco.mj_resetData(self._model, data)
        for index, name in enumerate(self._body):
            if name in placed:
                self._place(placed[name], data)
            else:
                self._park(name, index, data)
        self._lay_towel(scene, data)
        self._set_table(scene)
        self._set_light(scene)
        self._set_cameras(scene)

    def _place(self, placement: ObjectPlacement, data: mujoco.MjData) -> None:
        name = placement.kind
        self._recolour(name, placement.hue_shift)
        geoms = self._geoms[name]
        self._model.geom_group[geoms] = self._compiled['geom_group'][geoms]
        self._model.body_gravcomp[self._body[name]] = 0.0
        height = kind_named(name).height_m * placement.scale
        pose = [placement.x, placement.y, height / 2 + _DROP_M, np.cos(placement.yaw / 2), 0.0,
                0.0, np.sin(placement.yaw / 2)]
        data.joint(name).qpos[:] = pose

    def _lay_towel(self, scene: Scene, data: mujoco.MjData) -> None:
        towel = scene.towel
        if towel is None:
            return
        cloth.place(self._model, data, cloth.flat(towel.x, towel.y, towel.yaw))
        self._model.flex_rgba[0, :3] = _shifted(np.array(cloth.PINK), towel.hue_shift)

    def _park(self, name: str, index: int, data: mujoco.MjData) -> None:
        """Let an unused object float, unseen, where nothing touches it."""
        self._model.geom_group[self._geoms[name]] = PARKED_GROUP
        self._model.body_gravcomp[self._body[name]] = 1.0
        data.joint(name).qpos[:] = [-4.0, 0.5 * index, 1.0, 1.0, 0.0, 0.0, 0.0]

    def _scale(self, name: str, scale: float) -> None:
        model, compiled, body = self._model, self._compiled, self._body[name]
        geoms = self._geoms[name]
        for field in ('geom_size', 'geom_pos', 'geom_rbound', 'geom_aabb'):
            getattr(model, field)[geoms] = scale * compiled[field][geoms]
        model.body_ipos[body] = scale * compiled['body_ipos'][body]
        model.body_mass[body] = scale ** 3 * compiled['body_mass'][body]
        model.body_inertia[body] = scale ** 5 * compiled['body_inertia'][body]
        if scale == self._scales[name]:
            return
        self._scales[name] = scale
        for mesh in model.geom_dataid[geoms]:
            if mesh >= 0:
                start, count = model.mesh_vertadr[mesh], model.mesh_vertnum[mesh]
                rows = slice(start, start + count)
                model.mesh_vert[rows] = scale * compiled['mesh_vert'][rows]
                self.changed_meshes.append(int(mesh))

    def _derive_constants(self, data: mujoco.MjData) -> None:
        """Let MuJoCo derive from the new masses what it derives at compile time."""
        stat = self._model.stat
        extent, size, center = stat.extent, stat.meansize, stat.center.copy()
        mujoco.mj_setConst(self._model, data)
        # These set the clipping planes of pictures, which must not depend on masses.
        stat.extent, stat.meansize, stat.center[:] = extent, size, center

    def _recolour(self, name: str, shift: float) -> None:
        for geom in self._geoms[name]:
            rgba = self._compiled['geom_rgba'][geom]
            self._model.geom_rgba[geom, :3] = _shifted(rgba, shift)

    def _set_table(self, scene: Scene) -> None:
        model = self._model
        material = model.material(f'table_{scene.table_look}').id
        model.geom_matid[model.geom('table').id] = material
        model.mat_rgba[material, :3] = scene.table_tint

    def _set_light(self, scene: Scene) -> None:
        model, light = self._model, scene.light
        model.light_dir[0] = light.direction
        model.light_diffuse[0] = light.strength
        model.vis.headlight.ambient[:] = light.ambient
        model.vis.headlight.diffuse[:] = 0.2
        model.vis.headlight.specular[:] = 0.05

    def _set_cameras(self, scene: Scene) -> None:
        jitter = scene.camera_jitter
        for name, camera in cameras.SCENE_CAMERAS.items():
            dp, dt, roll = jitter.of(name)
            index = self._model.camera(name).id
            position = np.array(camera.position) + dp
            rotation = cameras.look_at(position, np.array(camera.target) + dt, roll)
            self._model.cam_pos[index] = position
            mujoco.mju_mat2Quat(self._model.cam_quat[index], rotation.reshape(-1))


def _shifted(rgba: np.ndarray, shift: float) -> tuple[float, float, float]:
    """A colour whose hue is turned a little and which, with it, is brightened or darkened."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(float(v) for v in rgba[:3]))
    return colorsys.hsv_to_rgb((hue + 0.5 * shift) % 1.0, saturation,
                               min(1.0, value * (1.0 + 3.0 * shift)))


def check_scene(scene: Scene) -> None:
    """Refuse a scene that the cell cannot build.

    Raises:
        ValueError: naming what is wrong.
    """
    kinds = [placement.kind for placement in scene.objects]
    if len(kinds) > MAX_OBJECTS:
        raise ValueError(f'a scene has at most {MAX_OBJECTS} objects, got {len(kinds)}')
    for placement in (*scene.objects, scene.bowl):
        kind_named(placement.kind)
        if not SCALE_RANGE[0] <= placement.scale <= SCALE_RANGE[1]:
            raise ValueError(f'{placement.kind} has scale {placement.scale}, allowed is '
                             f'{SCALE_RANGE[0]} to {SCALE_RANGE[1]}')
    if scene.bowl.kind != 'bowl' or 'bowl' in kinds:
        raise ValueError('the bowl belongs into scene.bowl and nowhere else')
    if scene.towel is not None and cloth.NAME in kinds:
        raise ValueError('a scene has the folded towel or the spread one, not both')
    if len(set(kinds)) != len(kinds):
        raise ValueError(f'a scene has each kind at most once, got {kinds}')
    if not 0 <= scene.table_look < TABLE_LOOKS:
        raise ValueError(f'table_look must be 0 to {TABLE_LOOKS - 1}, got {scene.table_look}')
    if len(scene.q_start) != 7:
        raise ValueError(f'q_start must have 7 joints, got {len(scene.q_start)}')


