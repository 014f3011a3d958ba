# SPDX-License-Identifier: Apache-2.0
"""What a recording holds: the table of topics, by their names in the code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum


class Delivery(Enum):
    """How a topic is published, and so how it must be subscribed to."""

    SENSOR = 'best effort, many'
    RELIABLE = 'reliable'
    LATCHED = 'reliable, the last one for late joiners'


@dataclass(frozen=True)
class RecordedTopic:
    """One recorded topic.

    Attributes:
        role: Relative name in the code; namespace and remappings apply to it.
        type_name: Such as 'sensor_msgs/msg/Image'.
        delivery: Quality of service.
    """

    role: str
    type_name: str
    delivery: Delivery


# Key of the metadata under which a bag keeps which topic plays which role.
ROLES_KEY = 'vidplan_topics'

JOINTS = 'joint_states'
GRIPPER = 'gripper/joint_states'
# Of an imported data set: the flange as it was measured there, geometry_msgs/PoseStamped.
FLANGE = 'recorded/flange_pose'
OBSERVATION = 'observation'
PLAN = 'plan'
STATUS = 'adapter/status'
FEEDBACK = 'plan_task/_action/feedback'
GOAL_STATUS = 'plan_task/_action/status'
GOAL = 'planner/goal'
RESULT = 'planner/result'
TRAJECTORY = 'fr3_arm_controller/joint_trajectory'
GRIPPER_COMMAND = 'gripper/command'
# What the robot says of itself: errors, modes, contacts, forces; of franka_ros2's broadcaster.
ROBOT_STATE = 'franka_robot_state_broadcaster/robot_state'
# Written by the recorder itself, JSON in a std_msgs/String: parameters and models of each node.
SETTINGS = 'recorder/settings'

_BESIDE_CAMERAS = (
    RecordedTopic(JOINTS, 'sensor_msgs/msg/JointState', Delivery.SENSOR),
    RecordedTopic(GRIPPER, 'sensor_msgs/msg/JointState', Delivery.SENSOR),
    RecordedTopic(OBSERVATION, 'vidplan_msgs/msg/Observation', Delivery.RELIABLE),
    RecordedTopic(PLAN, 'vidplan_msgs/msg/Plan', Delivery.RELIABLE),
    RecordedTopic(STATUS, 'vidplan_msgs/msg/AdapterStatus', Delivery.LATCHED),
    RecordedTopic(FEEDBACK, 'vidplan_msgs/action/PlanTask_FeedbackMessage', Delivery.RELIABLE),
    RecordedTopic(GOAL_STATUS, 'action_msgs/msg/GoalStatusArray', Delivery.LATCHED),
    RecordedTopic(GOAL, 'vidplan_msgs/action/PlanTask_Goal', Delivery.RELIABLE),
    RecordedTopic(RESULT, 'vidplan_msgs/action/PlanTask_Result', Delivery.RELIABLE),
    RecordedTopic(TRAJECTORY, 'trajectory_msgs/msg/JointTrajectory', Delivery.RELIABLE),
    RecordedTopic(GRIPPER_COMMAND, 'std_msgs/msg/Float64', Delivery.RELIABLE),
    RecordedTopic('robot_description', 'std_msgs/msg/String', Delivery.LATCHED),
    RecordedTopic('/tf', 'tf2_msgs/msg/TFMessage', Delivery.SENSOR),
    RecordedTopic('/tf_static', 'tf2_msgs/msg/TFMessage', Delivery.LATCHED),
    RecordedTopic(ROBOT_STATE, 'franka_msgs/msg/FrankaRobotState', Delivery.SENSOR),
    RecordedTopic('diagnostics', 'diagnostic_msgs/msg/DiagnosticArray', Delivery.SENSOR),
    RecordedTopic('/parameter_events', 'rcl_interfaces/msg/ParameterEvent', Delivery.SENSOR),
)


def cameras(views: Iterable[str]) -> tuple[str, ...]:
    """Return the roles of the cameras of these views."""
    return tuple(f'{view}/image_raw' for view in views)


def sensors(views: Iterable[str]) -> tuple[str, ...]:
    """Return what robot and cameras say; what the graph says, it says again when it is played."""
    return (*cameras(views), JOINTS, GRIPPER)


def recorded(views: Sequence[str]) -> tuple[RecordedTopic, ...]:
    """Return all topics of a recording with cameras of these views."""
    image = 'sensor_msgs/msg/Image'
    images = (RecordedTopic(role, image, Delivery.SENSOR) for role in cameras(views))
    about = (
        RecordedTopic(f'{view}/camera_info', 'sensor_msgs/msg/CameraInfo', Delivery.SENSOR)
        for view in views
    )
    return (*images, *about, *_BESIDE_CAMERAS)
