# SPDX-License-Identifier: Apache-2.0
"""The cell as viewers want it: frames of arm, hand and cameras, and a URDF with the meshes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as xml

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from vidplan_sim.arm.franka import assets_folder
from vidplan_sim.arm.kinematics import FINGER_JOINTS
from vidplan_sim.render.cameras import VIEWS, nominal_pose

BASE = 'base'
FLANGE = 'fr3_link8'
# The model names its joints of the hand otherwise than the robot does.
_NAMES = {'finger_joint1': FINGER_JOINTS[0], 'finger_joint2': FINGER_JOINTS[1]}
_FLANGE_M = 0.107
_VISUAL_GROUP = 2
# From a camera of the simulation (x right, y up, z backwards) to ROS (x right, y down, forward).
_OPTICAL = np.diag([1.0, -1.0, -1.0])


@dataclass(frozen=True)
class Joint:
    """What moves a frame: `axis` (3,), limits in rad, or m where it slides."""

    name: str
    axis: np.ndarray
    slides: bool
    limits: tuple[float, float]


@dataclass(frozen=True)
class Frame:
    """A link of the robot, or a camera, on its parent.

    Attributes:
        name: of the frame.
        parent: of what it stands on; '' for the base.
        position: (3,) on the parent while the joint is at zero, m.
        rotation: (3, 3) likewise.
        joint: what moves it; None where it is fixed.
        meshes: files of what is seen, with their colours (4,), 0 .. 1.
    """

    name: str
    parent: str
    position: np.ndarray
    rotation: np.ndarray
    joint: Joint | None = None
    meshes: tuple[tuple[Path, np.ndarray], ...] = ()

    def at(self, positions: Mapping[str, float]) -> tuple[np.ndarray, np.ndarray]:
        """Return position (3,) and rotation (3, 3) on the parent for joint positions, rad or m."""
        if self.joint is None:
            return self.position, self.rotation
        moved = positions[self.joint.name] * self.joint.axis
        if self.joint.slides:
            return self.position + self.rotation @ moved, self.rotation
        return self.position, self.rotation @ Rotation.from_rotvec(moved).as_matrix()


def cell_frames() -> tuple[Frame, ...]:
    """Return the frames of arm, hand, flange and cameras, parents first.

    Cameras on stands are where a scene's jitter of a centimetre leaves them on average.

    Raises:
        RobotModelMissing: the package with the model is not installed.
    """
    spec = mujoco.MjSpec.from_file(str(assets_folder() / 'fr3.xml'))
    bodies = [body for body in spec.bodies if body.name != 'world']
    flange = Frame(FLANGE, 'fr3_link7', np.array([0.0, 0.0, _FLANGE_M]), np.eye(3))
    return (*(_of_body(spec, body) for body in bodies), flange, *map(_of_camera, VIEWS))


def _of_body(spec: mujoco.MjSpec, body: mujoco.MjsBody) -> Frame:
    w, x, y, z = body.quat
    return Frame(
        body.name,
        '' if body.name == BASE else body.parent.name,
        np.array(body.pos),
        Rotation.from_quat([x, y, z, w]).as_matrix(),
        next((_joint(joint) for joint in body.joints), None),
        _meshes(spec, body),
    )


def _joint(joint: mujoco.MjsJoint) -> Joint:
    low, high = (float(value) for value in joint.range)
    slides = joint.type == mujoco.mjtJoint.mjJNT_SLIDE
    return Joint(_NAMES.get(joint.name, joint.name), np.array(joint.axis), slides, (low, high))


def _meshes(spec: mujoco.MjSpec, body: mujoco.MjsBody) -> tuple[tuple[Path, np.ndarray], ...]:
    files = {mesh.name: assets_folder() / 'meshes' / mesh.file for mesh in spec.meshes}
    return tuple(
        (files[geom.meshname], np.array(spec.material(geom.material).rgba))
        for geom in body.geoms
        if geom.group == _VISUAL_GROUP and geom.meshname
    )


def _of_camera(view: str) -> Frame:
    position, rotation = nominal_pose(view)
    parent = FLANGE if view == 'wrist' else BASE
    return Frame(f'{view}_optical_frame', parent, position, rotation @ _OPTICAL)


def urdf(frames: tuple[Frame, ...]) -> str:
    """Return the description that `robot_state_publisher`, RViz and Foxglove read."""
    robot = xml.Element('robot', name='fr3_cell')
    for frame in frames:
        link = xml.SubElement(robot, 'link', name=frame.name)
        for number, (file, colour) in enumerate(frame.meshes):
            visual = xml.SubElement(link, 'visual')
            geometry = xml.SubElement(visual, 'geometry')
            xml.SubElement(geometry, 'mesh', filename=file.as_uri())
            material = xml.SubElement(visual, 'material', name=f'{frame.name}_{number}')
            xml.SubElement(material, 'color', rgba=_numbers(colour))
        if frame.parent:
            _add_joint(robot, frame)
    return xml.tostring(robot, encoding='unicode')


def _add_joint(robot: xml.Element, frame: Frame) -> None:
    joint = frame.joint
    kind = 'fixed' if joint is None else 'prismatic' if joint.slides else 'revolute'
    name = f'{frame.name}_mount' if joint is None else joint.name
    element = xml.SubElement(robot, 'joint', name=name, type=kind)
    xml.SubElement(element, 'parent', link=frame.parent)
    xml.SubElement(element, 'child', link=frame.name)
    rpy = Rotation.from_matrix(frame.rotation).as_euler('xyz')
    xml.SubElement(element, 'origin', xyz=_numbers(frame.position), rpy=_numbers(rpy))
    if joint is not None:
        xml.SubElement(element, 'axis', xyz=_numbers(joint.axis))
        low, high = (f'{value:.6g}' for value in joint.limits)
        xml.SubElement(element, 'limit', lower=low, upper=high, effort='87', velocity='2.62')


def _numbers(values: np.ndarray) -> str:
    return ' '.join(f'{value:.9g}' for value in values)
