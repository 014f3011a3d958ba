# SPDX-License-Identifier: Apache-2.0
"""Why a command was rejected: the reasons that `CommandRejectedError.reason` may hold."""

WRONG_SIZE = 'WRONG_SIZE'  # arrays that do not belong together, or too many of them
WRONG_JOINTS = 'WRONG_JOINTS'  # joint names that are not the robot's
NONFINITE = 'NONFINITE'  # NaN or infinity
INVALID = 'INVALID'  # a finite number that makes no sense: period, quaternion, closedness, times
STALE = 'STALE'  # made from an old observation, or due in the past
FUTURE = 'FUTURE'  # stamped in the future, or due too far ahead
OUT_OF_ORDER = 'OUT_OF_ORDER'  # made from an older observation than the plan in force
JUMP = 'JUMP'  # begins too far from where the arm will be
TRACKING = 'TRACKING'  # the arm is not where it was sent
SPEED = 'SPEED'  # frames too far apart
LIMIT = 'LIMIT'  # a joint's position, velocity or acceleration
WORKSPACE = 'WORKSPACE'  # the tool or the flange outside its box
TOO_LONG = 'TOO_LONG'  # lasts longer than nobody may plan for
COLLISION = 'COLLISION'  # a link too near to the table, a box or another link
NOT_AT_REST = 'NOT_AT_REST'  # the end of a trajectory is not at rest
UNREACHABLE = 'UNREACHABLE'  # no joint angles for a pose
FROZEN = 'FROZEN'  # joint states keep their values while the arm moves
JOINT_JUMP = 'JOINT_JUMP'  # joint states jump further than a joint can move
IMPOSSIBLE = 'IMPOSSIBLE'  # a joint is measured outside its range
CLOCK_STEP = 'CLOCK_STEP'  # the clock was set while the arm moved
REFUSED = 'REFUSED'  # the controller did not take a trajectory
ABORTED = 'ABORTED'  # the controller gave up a trajectory that it had taken
ROBOT_REFLEX = 'ROBOT_REFLEX'  # the robot stopped itself
ROBOT_STOPPED = 'ROBOT_STOPPED'  # a person stopped or guides the robot
ROBOT_NOT_READY = 'ROBOT_NOT_READY'  # the robot does not take commands
STALE_ROBOT_STATE = 'STALE_ROBOT_STATE'  # the robot's own state is silent
CONTACT = 'CONTACT'  # the robot feels a contact
NO_STATE = 'NO_STATE'  # no recent joint state to build on

# Another motion from the same place may pass where one was rejected so.
OF_THE_MOTION = frozenset({SPEED, LIMIT, WORKSPACE, COLLISION, UNREACHABLE})
