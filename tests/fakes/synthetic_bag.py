# SPDX-License-Identifier: Apache-2.0
"""A bag of a few seconds, made here: a red square moves in three views while the arm turns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vidplan_core.geometry.camera_files import default_layout
from vidplan_core.geometry.robot import RobotModel
from vidplan_core.geometry.robot_files import default_robot
from vidplan_eval.bags.bag_types import typestore
from vidplan_eval.bags.recording import (
    GOAL,
    GRIPPER,
    JOINTS,
    OBSERVATION,
    RESULT,
    cameras,
    recorded,
)
from vidplan_eval.bags.writer import BagTopic, BagWriter

STORE = typestore()
CAMERAS = cameras(default_layout().views)
TYPES = {
    entry.role: entry.type_name
    for entry in recorded(default_layout().views)
    if entry.type_name in STORE.fielddefs
}
Q_START = np.array([0.0, -0.7, 0.0, -2.3, 0.0, 1.6, 0.8])
START_S = 100.0
HEIGHT, WIDTH = 32, 64


def _new(kind: str, /, **fields: Any) -> Any:
    return STORE.types[kind](**fields)


def _header(stamp_s: float) -> Any:
    sec, nanosec = divmod(round(stamp_s * 1e9), 10**9)
    time = _new('builtin_interfaces/msg/Time', sec=sec, nanosec=nanosec)
    return _new('std_msgs/msg/Header', stamp=time, frame_id='')


def picture(time_s: float) -> np.ndarray:
    """What every camera sees at a time."""
    image = np.full((HEIGHT, WIDTH, 3), 70, np.uint8)
    left = 8 + int(20 * (time_s - START_S))
    image[12:20, left : left + 8] = (230, 20, 20)
    return image


def image_message(time_s: float, encoding: str = 'rgb8') -> Any:
    return _new(
        'sensor_msgs/msg/Image',
        header=_header(time_s),
        height=HEIGHT,
        width=WIDTH,
        encoding=encoding,
        is_bigendian=0,
        step=WIDTH * 3,
        data=picture(time_s).reshape(-1),
    )


def angles(time_s: float) -> np.ndarray:
    """Joint positions at a time."""
    q = Q_START.copy()
    q[0] += 0.2 * (time_s - START_S)
    return q


def joint_message(names: Any, position: np.ndarray, velocity: np.ndarray, time_s: float) -> Any:
    return _new(
        'sensor_msgs/msg/JointState',
        header=_header(time_s),
        name=list(names),
        position=position,
        velocity=velocity,
        effort=np.zeros(0),
    )


def observation_message(time_s: float) -> Any:
    """What a stitcher would publish, flange at a place that only this message knows."""
    stitched = np.concatenate([picture(time_s)] * 3)
    image = image_message(time_s)
    image.height, image.data = 3 * HEIGHT, stitched.reshape(-1)
    point = _new('geometry_msgs/msg/Point', x=0.5, y=0.1, z=0.4)
    down = _new('geometry_msgs/msg/Quaternion', x=1.0, y=0.0, z=0.0, w=0.0)
    return _new(
        TYPES[OBSERVATION],
        header=_header(time_s),
        image=image,
        views=list(default_layout().views),
        view_height=HEIGHT,
        view_width=WIDTH,
        view_stamps=[_header(time_s).stamp] * 3,
        skew_s=0.0,
        joint_names=list(default_robot().joint_names),
        joint_positions=angles(time_s),
        joint_velocities=np.zeros(7),
        gripper_closedness=0.25,
        flange_pose=_new('geometry_msgs/msg/Pose', position=point, orientation=down),
    )


def messages(
    duration_s: float, *, robot: RobotModel, encoding: str
) -> list[tuple[float, str, Any]]:
    rows: list[tuple[float, str, Any]] = []
    for step in range(round(duration_s * 50)):
        time_s = START_S + step / 50
        dq = np.zeros(7)
        dq[0] = 0.2
        rows.append((time_s, JOINTS, joint_message(robot.joint_names, angles(time_s), dq, time_s)))
        gripper = joint_message(robot.gripper.joints, np.full(2, 0.03), np.zeros(2), time_s)
        rows.append((time_s, GRIPPER, gripper))
    for step in range(round(duration_s * 15)):
        for shift, role in enumerate(CAMERAS):
            time_s = START_S + step / 15 + 0.004 * shift
            rows.append((time_s, role, image_message(time_s, encoding)))
        time_s = START_S + step / 15
        rows.append((time_s, OBSERVATION, observation_message(time_s)))
    goal = _new(TYPES[GOAL], instruction='move to the carrot', target='', time_limit_s=20.0)
    rows.append((START_S, GOAL, goal))
    kind = STORE.types[TYPES[RESULT]]
    result = kind(
        success=True,
        error_code=0,
        error_msg='',
        cycles=3,
        late_plans=0,
        duration_s=duration_s,
        final_score=0.5,
        target='carrot',
    )
    rows.append((START_S + duration_s, RESULT, result))
    return sorted(rows, key=lambda row: row[0])


def write_bag(
    path: Path,
    duration_s: float = 2.0,
    *,
    without: tuple[str, ...] = (),
    robot: RobotModel | None = None,
    encoding: str = 'rgb8',
) -> Path:
    """Write a bag, leaving out the messages of some roles."""
    topics = [BagTopic(role, f'/{role}', kind) for role, kind in TYPES.items()]
    rows = messages(duration_s, robot=robot or default_robot(), encoding=encoding)
    with BagWriter(path, topics, store=STORE) as writer:
        for time_s, role, message in rows:
            if role not in without:
                data = bytes(STORE.serialize_cdr(message, TYPES[role]))
                writer.write(role, round(time_s * 1e9), data)
    return path
