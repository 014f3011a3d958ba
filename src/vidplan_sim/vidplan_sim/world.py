# SPDX-License-Identifier: Apache-2.0
"""The cell's one MuJoCo model: robot, table, cameras, light, the bowl and one of every object.

Compiling takes a second, so a model is compiled once and serves every scene: objects that a scene
does not use are parked far away.
"""

from __future__ import annotations

import mujoco
import numpy as np

from vidplan_sim.arm.franka import OBJECT_BITS, load_robot
from vidplan_sim.arm.kinematics import TCP_FROM_FLANGE_M
from vidplan_sim.objects.cloth import add_cloth
from vidplan_sim.objects.everyday import BOWL, KINDS
from vidplan_sim.objects.kind import ObjectKind
from vidplan_sim.objects.shapes import Part, quaternion_of
from vidplan_sim.render import cameras

TIMESTEP_S = 0.004
SMALLEST_INERTIA = 2e-5  # kg m^2; lighter things rattle at this time step
AIR_DRAG = (0.01, 1e-4)  # N s/m and N m s/rad on a loose object
TOUCH_GROUP = 3  # geoms of this group are not rendered
LOOK_GROUP = 1
PARKED_GROUP = 5

# Tint of the six table tops: light wood, dark wood, grey, beige cloth, green mat, white.
TABLE_TOPS = (
    ((0.78, 0.58, 0.38), (0.70, 0.50, 0.31)),
    ((0.50, 0.33, 0.20), (0.43, 0.27, 0.16)),
    ((0.56, 0.57, 0.59), (0.51, 0.52, 0.54)),
    ((0.82, 0.76, 0.63), (0.77, 0.70, 0.57)),
    ((0.42, 0.50, 0.42), (0.38, 0.46, 0.38)),
    ((0.85, 0.85, 0.86), (0.80, 0.80, 0.82)),
)

_TYPES = {
    'sphere': mujoco.mjtGeom.mjGEOM_SPHERE,
    'ellipsoid': mujoco.mjtGeom.mjGEOM_ELLIPSOID,
    'box': mujoco.mjtGeom.mjGEOM_BOX,
    'cylinder': mujoco.mjtGeom.mjGEOM_CYLINDER,
    'capsule': mujoco.mjtGeom.mjGEOM_CAPSULE,
    'mesh': mujoco.mjtGeom.mjGEOM_MESH,
}


def build_model(extra: tuple[ObjectKind, ...] = (), *, cloth: bool = False) -> mujoco.MjModel:
    """Compile the cell, with `extra` kinds of objects beside its own, and with cloth or not."""
    kinds = (*KINDS, BOWL, *extra)
    spec = load_robot()
    spec.option.timestep = TIMESTEP_S
    # The fast variant leaves gyroscopic terms out; light objects that tumble then gain energy.
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICIT
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 3.0  # contacts grip instead of creeping
    spec.compiler.boundinertia = SMALLEST_INERTIA
    spec.visual.quality.shadowsize = 1024
    spec.visual.quality.offsamples = 0
    spec.visual.global_.offwidth, spec.visual.global_.offheight = 1280, 960
    spec.visual.map.znear, spec.visual.map.zfar = 0.005, 5.0
    _add_room(spec)
    _add_cameras(spec)
    for kind in kinds:
        _add_object(spec, kind)
    if cloth:
        _add_cloth(spec)
    model = spec.compile()
    for kind in kinds:
        first = model.joint(kind.name).dofadr[0]
        model.dof_damping[first:first + 6] = np.repeat(AIR_DRAG, 3)
    return model


def _add_room(spec: mujoco.MjSpec) -> None:
    _add_textures(spec)
    world = spec.worldbody
    world.add_geom(name='floor', type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0, 0, 1],
                   pos=[0, 0, -0.75], rgba=[0.45, 0.46, 0.48, 1], contype=0, conaffinity=0)
    world.add_geom(name='table', type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.6, 0.75, 0.02],
                   pos=[0.35, 0, -0.02], material='table_0', contype=OBJECT_BITS[0],
                   conaffinity=OBJECT_BITS[1], friction=[0.9, 0.005, 0.0001])
    world.add_light(name='lamp', type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL, pos=[0.5, 0, 1.5],
                    dir=[-0.3, 0.2, -0.93], diffuse=[0.55] * 3, specular=[0.15] * 3,
                    castshadow=True)


def _add_textures(spec: mujoco.MjSpec) -> None:
    """Table tops with a little grain, so that a moving camera sees the table move."""
    rng = np.random.default_rng(0)
    for index, (light, dark) in enumerate(TABLE_TOPS):
        size = 256
        grain = rng.random((size, 1)) if index in (0, 1) else rng.random((size, size))
        coarse = np.kron(rng.random((16, 16)), np.ones((16, 16)))
        mix = (0.6 * np.broadcast_to(grain, (size, size)) + 0.4 * coarse)[..., None]
        pixels = 255.0 * (mix * np.array(light) + (1.0 - mix) * np.array(dark))
        texture = spec.add_texture(name=f'table_{index}', type=mujoco.mjtTexture.mjTEXTURE_2D,
                                   width=size, height=size, nchannel=3)
        texture.data = pixels.astype(np.uint8).tobytes()
        material = spec.add_material(name=f'table_{index}', texrepeat=[2, 2], specular=0.1)
        material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = f'table_{index}'


def _add_cameras(spec: mujoco.MjSpec) -> None:
    for name, camera in cameras.SCENE_CAMERAS.items():
        spec.worldbody.add_camera(name=name, pos=camera.position, fovy=camera.vertical_fov_deg)
    hand = spec.body('hand')
    quat = np.empty(4)
    mujoco.mju_mat2Quat(quat, cameras.wrist_rotation_in_hand().reshape(-1))
    hand.add_camera(name='wrist', pos=cameras.WRIST.position, quat=quat,
                    fovy=cameras.WRIST.vertical_fov_deg)
    hand.add_site(name='flange', quat=[0.9238795325, 0, 0, 0.3826834324])
    hand.add_site(name='tcp', pos=[0, 0, TCP_FROM_FLANGE_M])


def _add_object(spec: mujoco.MjSpec, kind: ObjectKind) -> None:
    body = spec.worldbody.add_body(name=kind.name, pos=[-4.0, 0.0, 0.0])
    body.add_freejoint(name=kind.name)
    solid = [part for part in kind.parts if part.role != 'look']
    for index, part in enumerate(kind.parts):
        geom = body.add_geom(type=_TYPES[part.shape], quat=quaternion_of(part))
        geom.pos = np.array(part.position) - [0.0, 0.0, kind.height_m / 2]
        geom.rgba = [*part.rgb, 1.0]
        geom.mass = kind.mass_kg / len(solid) if part.role != 'look' else 0.0
        if part.shape == 'mesh':
            geom.meshname = _add_mesh(spec, f'{kind.name} {index}', part)
        else:
            geom.size[:len(part.size)] = part.size
        _set_role(geom, part, kind)


def _add_cloth(spec: mujoco.MjSpec) -> None:
    add_cloth(spec)
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_DISCRETE  # bending is implicit in no other
    spec.option.impratio = 10.0  # cloth creeps out of the fingers below


def _add_mesh(spec: mujoco.MjSpec, name: str, part: Part) -> str:
    vertices, faces = part.mesh
    mesh = spec.add_mesh(name=name, inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL)
    mesh.uservert = vertices.astype(np.float32).reshape(-1)
    mesh.userface = faces.reshape(-1)
    return name


def _set_role(geom: mujoco.MjsGeom, part: Part, kind: ObjectKind) -> None:
    geom.group = TOUCH_GROUP if part.role == 'touch' else LOOK_GROUP
    if part.role == 'look':
        geom.contype = geom.conaffinity = 0
        return
    geom.contype, geom.conaffinity = OBJECT_BITS
    geom.condim = 6 if kind.rolls else 4
    geom.friction = [1.0, 0.01, 0.002 if kind.rolls else 0.0001]
