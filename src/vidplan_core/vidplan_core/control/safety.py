# SPDX-License-Identifier: Apache-2.0
"""The last checks before a command reaches the robot; every rejection has a named reason."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from vidplan_core.control import plan_checks
from vidplan_core.control.commands import PlanCommand, TrajectoryCommand
from vidplan_core.control.config import SafetyConfig
from vidplan_core.control.links import Margins, collision
from vidplan_core.control.rejection import (
    COLLISION,
    INVALID,
    JUMP,
    LIMIT,
    NOT_AT_REST,
    TRACKING,
    WORKSPACE,
    WRONG_JOINTS,
    WRONG_SIZE,
)
from vidplan_core.errors import CommandRejectedError
from vidplan_core.geometry.fk import ArmFrames, arm_frames
from vidplan_core.geometry.robot import RobotModel
from vidplan_core.geometry.robot_files import default_robot

Array = NDArray[np.float64]


class CommandChecker:
    """Looks at every command with fresh eyes: nothing that a planner promised is taken for true.

    All methods return None or raise CommandRejectedError, whose `reason` is a constant of
    `rejection` and whose message says what was wrong and what would be right.
    """

    def __init__(
        self, config: SafetyConfig | None = None, robot: RobotModel | None = None
    ) -> None:
        """Check against `config`, or the defaults for an arm on a table.

        Args:
            config: what a command may be.
            robot: whose hard limits no trajectory may break; `default_robot` if none.
        """
        self.config = config or SafetyConfig()
        self.robot = robot or default_robot()

    def check_plan(self, plan: PlanCommand, now_s: float) -> None:
        """Check all that can be known of a plan without the arm's state."""
        config = self.config
        plan_checks.check_sizes(plan, config.max_frames)
        plan_checks.check_numbers(plan)
        plan_checks.check_times(
            plan, now_s, config.max_plan_age_s, config.max_start_delay_s, config.max_period_s
        )
        duration_s = plan.period_s * (len(plan.positions) - 1)
        plan_checks.check_duration(duration_s, config.max_duration_s)
        rotations = Rotation.from_quat(plan.quaternions).as_matrix()
        self._check_boxes(np.asarray(plan.positions), rotations, 'frame')
        plan_checks.check_speeds(plan, rotations, config.max_speed_m_s, config.max_turn_rad_s)

    def check_start(
        self, found: tuple[ArrayLike, ArrayLike], expected: tuple[ArrayLike, ArrayLike]
    ) -> None:
        """Check that a chunk begins where the arm will be.

        Args:
            found: position (3,) in m and rotation (3, 3) of the chunk's frame.
            expected: position and rotation of the arm at that time.
        """
        (p0, r0), (p1, r1) = found, expected
        distance_m = float(np.linalg.norm(np.subtract(p0, p1)))
        angle_rad = float(plan_checks.rotation_angle(r0, r1))
        if not distance_m <= self.config.max_jump_m or not angle_rad <= self.config.max_jump_rad:
            raise CommandRejectedError(
                JUMP,
                f'the chunk begins {distance_m:.3f} m and {angle_rad:.3f} rad from where the arm '
                f'will be, allowed {self.config.max_jump_m:.3f} m and '
                f'{self.config.max_jump_rad:.3f} rad; plan from the committed motion',
            )

    def check_tracking(self, commanded: Array, measured: Array) -> None:
        """Check that the arm (7,) is where it was sent (7,): else something holds or moves it."""
        error = np.abs(np.subtract(commanded, measured))
        joint = int(error.argmax())
        if not error[joint] <= self.config.max_tracking_error_rad:
            raise CommandRejectedError(
                TRACKING,
                f'{self.robot.joint_names[joint]} is {error[joint]:.3f} rad from where it was '
                f'sent, allowed {self.config.max_tracking_error_rad:.3f} rad; is the controller '
                'following, is the arm blocked?',
            )

    def check_trajectory(
        self, command: TrajectoryCommand, q: Array, dq: Array, ddq: Array
    ) -> None:
        """Check a trajectory, at its points and densely between them.

        Args:
            command: what would be sent.
            q: angles (7,) that the controller starts from, rad.
            dq: velocities (7,) that it starts from, rad/s.
            ddq: accelerations (7,) that it starts from, rad/s^2.
        """
        self._check_joints(command.joint_names)
        self._check_points(command)
        path = command.path_from(q, dq, ddq)
        steps = max(2, math.ceil(path.duration_s / self.config.sample_period_s) + 1)
        # The points themselves are checked too: they need not fall on the grid.
        times = np.union1d(np.linspace(0, path.duration_s, steps), path.times_s)
        if (found := path.violation(self.robot.hard_limits)) is not None:
            raise CommandRejectedError(LIMIT, f'{found}; plan a slower or a shorter motion')
        positions, rotations = arm_frames(self.robot, path.positions(times))
        self._check_boxes(positions[:, -1], rotations[:, -1], 'sample')
        stride = max(1, int(self.config.link_period_s / self.config.sample_period_s))
        kept = np.append(np.arange(0, len(times) - 1, stride), len(times) - 1)
        self._check_links((positions[kept], rotations[kept]))

    def _check_boxes(self, positions: Array, rotations: Array, what: str) -> None:
        tools = positions + rotations @ np.array(self.robot.tool.position)
        found = self.config.tool_box.violation(tools, f'the tool at {what}')
        found = found or self.config.flange_box.violation(positions, f'the flange at {what}')
        if found is not None:
            raise CommandRejectedError(WORKSPACE, found)

    def _check_links(self, at: ArmFrames) -> None:
        """Check all links along a path; a brake stays on it, so it is checked with it."""
        config = self.config
        margins = Margins(
            config.table_margin_m, config.box_margin_m, config.self_margin_m,
            config.fingertip_margin_m,
        )  # fmt: skip
        found = collision(self.robot, at, margins, config.boxes)
        if found is not None:
            raise CommandRejectedError(COLLISION, f'{found}; plan a motion further away')

    def _check_joints(self, names: Sequence[str]) -> None:
        if tuple(names) != self.robot.joint_names:
            raise CommandRejectedError(
                WRONG_JOINTS, f'expected {list(self.robot.joint_names)}, got {list(names)}'
            )

    def _check_points(self, command: TrajectoryCommand) -> None:
        if not command.points:
            raise CommandRejectedError(WRONG_SIZE, 'a trajectory needs at least one point')
        width = len(command.joint_names)
        states = [(point.q, point.dq, point.ddq) for point in command.points]
        for state in states:
            shapes = [np.shape(values) for values in state]
            if shapes != [(width,)] * 3:
                raise CommandRejectedError(
                    WRONG_SIZE,
                    f'points need {width} positions, velocities and accelerations, got {shapes}',
                )
        plan_checks.require_finite('points', states)
        times = np.array([0.0, *(point.time_from_start_s for point in command.points)])
        plan_checks.require_finite('times of points', times)
        if (np.diff(times) <= 0).any():
            raise CommandRejectedError(
                INVALID, f'times of points must rise from above 0, got {times[1:].tolist()}'
            )
        last = command.points[-1]
        if np.any(last.dq) or np.any(last.ddq):
            raise CommandRejectedError(
                NOT_AT_REST,
                f'the last velocity and acceleration must be zero, got {last.dq} and {last.ddq}',
            )
