# SPDX-License-Identifier: Apache-2.0
"""A camera of the cell is found by a tag in it, through the command that a user types."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import mujoco
import numpy as np
import pytest
import torch
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from vidplan.cli.main import main
from vidplan_core.data.calibration.tag import Tag
from vidplan_core.geometry.camera import load_cameras
from vidplan_core.geometry.fk import flange_pose
from vidplan_sim.arm.franka import load_robot
from vidplan_sim.render import cameras

HOME = np.array([0.0, -0.785, 0.0, -2.356, 0.0, 1.571, 0.785])
SIZE = 720, 1280
TAG = Tag(0.08)
MARGIN = 0.25  # of its side, white
OPTICAL = np.diag([1.0, -1.0, -1.0])


def add_tag(
    spec: mujoco.MjSpec, body: mujoco.MjsBody, pos: list[float], quat: list[float]
) -> None:
    """Add a plate with the tag on it, towards its z."""
    pixels = np.flipud(TAG.picture(400, 100))
    texture = spec.add_texture(
        name='tag', type=mujoco.mjtTexture.mjTEXTURE_2D, width=600, height=600, nchannel=3
    )
    texture.data = np.ascontiguousarray(pixels).tobytes()
    material = spec.add_material(name='tag', specular=0.0, emission=0.5)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = 'tag'
    half = TAG.size_m * (0.5 + MARGIN)
    mesh = spec.add_mesh(name='tag', inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL)
    mesh.uservert = np.array(
        [[-half, -half, 0], [half, -half, 0], [half, half, 0], [-half, half, 0],
         [0, 0, -1e-3]], np.float32).reshape(-1)  # fmt: skip
    mesh.userface = np.array([[0, 1, 2], [0, 2, 3], [1, 0, 4], [3, 2, 4]]).reshape(-1)
    mesh.usertexcoord = np.array(
        [[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]], np.float32
    ).reshape(-1)
    body.add_geom(
        name='tag', type=mujoco.mjtGeom.mjGEOM_MESH, meshname='tag', material='tag', pos=pos,
        quat=quat, contype=0, conaffinity=0, mass=0.0,
    )  # fmt: skip


class TaggedArm:
    """The arm with a tag on its hand, or on the table before it, and one of the cameras."""

    def __init__(self, view: str) -> None:
        spec = load_robot()
        spec.visual.global_.offwidth, spec.visual.global_.offheight = SIZE[1], SIZE[0]
        spec.visual.quality.offsamples = 4
        spec.visual.map.znear, spec.visual.map.zfar = 0.005, 5.0
        spec.worldbody.add_light(pos=[0.5, 0, 2.0], dir=[0, 0, -1], diffuse=[0.4] * 3)
        spec.worldbody.add_geom(
            name='floor', type=mujoco.mjtGeom.mjGEOM_PLANE, size=[2, 2, 1], pos=[0, 0, -0.02],
            rgba=[0.5, 0.45, 0.4, 1.0], contype=0, conaffinity=0,
        )  # fmt: skip
        position, rotation = cameras.nominal_pose(view)
        self.truth = position, rotation @ OPTICAL
        hand = spec.body('hand')
        if view == 'wrist':
            add_tag(spec, spec.worldbody, [0.48, 0.02, 0.0], [0.966, 0.0, 0.0, 0.259])
            quat = quaternion(cameras.wrist_rotation_in_hand())
            position, body = np.array(cameras.WRIST.position), hand
        else:
            towards = np.array([0.9, -0.42, -0.1])  # in the hand's frame, when it points down
            turn = cameras.look_at(towards, np.zeros(3))
            add_tag(spec, hand, (0.1 * towards).tolist(), quaternion(turn))
            quat, body = quaternion(rotation), spec.worldbody
        body.add_camera(
            name=view, pos=position, quat=quat, fovy=cameras.CAMERAS[view].vertical_fov_deg
        )
        self.model, self._view = spec.compile(), view
        self._data = mujoco.MjData(self.model)
        self._renderer = mujoco.Renderer(self.model, *SIZE)
        self._renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = False
        self._joints = [self.model.joint(f'fr3_joint{n}').qposadr[0] for n in range(1, 8)]

    def picture(self, q: np.ndarray) -> np.ndarray:
        self._data.qpos[self._joints] = q
        mujoco.mj_forward(self.model, self._data)
        self._renderer.update_scene(self._data, self._view)
        return self._renderer.render().copy()


def reach(position: np.ndarray, tilt: np.ndarray) -> np.ndarray:
    """Joint angles (7,) that bring the flange there, pointing down but for a rotation vector."""
    home = flange_pose(torch.from_numpy(HOME))[1].numpy()
    down = Rotation.from_rotvec(tilt) * Rotation.from_matrix(home)

    def errors(q: np.ndarray) -> np.ndarray:
        place, rotation = flange_pose(torch.from_numpy(q))
        turn = (Rotation.from_matrix(rotation.numpy()) * down.inv()).as_rotvec()
        return np.r_[place.numpy() - position, turn, 1e-3 * (q - HOME)]

    return np.asarray(least_squares(errors, HOME).x)


def quaternion(rotation: np.ndarray) -> list[float]:
    x, y, z, w = Rotation.from_matrix(rotation).as_quat()
    return [w, x, y, z]


@pytest.mark.parametrize('view', ['left', 'wrist'])
def test_a_camera_is_found_within_5_mm_and_half_a_degree(view: str, tmp_path: Path) -> None:
    arm, random = TaggedArm(view), np.random.default_rng(1)
    middle = {'left': [0.46, -0.03, 0.17], 'wrist': [0.42, 0.0, 0.38]}[view]
    with (tmp_path / 'joints.csv').open('w', newline='', encoding='utf-8') as file:
        table = csv.writer(file)
        table.writerow(['picture', *(f'q{number}' for number in range(1, 8))])
        for number in range(15):
            place = np.array(middle) + random.uniform(-0.06, 0.06, 3)
            q = reach(place, random.uniform(-0.35, 0.35, 3))
            cv2.imwrite(str(tmp_path / f'{number}.png'), arm.picture(q)[..., ::-1])
            table.writerow([f'{number}.png', *q])
    lens = cameras.intrinsics(view, *SIZE)
    words = [
        'calibrate', tmp_path, '--view', view, '--tag', TAG.size_m, '--out',
        tmp_path / 'cameras.json', '--focal', lens[0, 0] / SIZE[1], lens[1, 1] / SIZE[0],
    ]  # fmt: skip
    assert main([str(word) for word in words]) == 0
    found = load_cameras(tmp_path / 'cameras.json', (view,))[view]
    position, rotation = arm.truth
    turn = Rotation.from_matrix(np.array(found.rotation).T @ rotation)
    assert np.linalg.norm(found.position - position) < 0.005
    assert np.degrees(turn.magnitude()) < 0.5
    assert found.mount == ('flange' if view == 'wrist' else 'base')
