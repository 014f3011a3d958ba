# SPDX-License-Identifier: Apache-2.0
"""A controller that answers, and a driver whose robot has reflexes; needs their messages."""

from __future__ import annotations

from typing import Any

from control_msgs.action import FollowJointTrajectory
from controller_manager_msgs.srv import SetHardwareComponentState, SwitchController
from franka_msgs.action import ErrorRecovery
from franka_msgs.msg import FrankaRobotState
from rclpy.action import ActionServer, GoalResponse

from tests.vidplan.robots.fake_arm import FakeArm
from vidplan_core.control.franka.robot_state import IDLE, MOVE, REFLEX

ACTION = 'fr3_arm_controller/follow_joint_trajectory'


class FakeFranka(FakeArm):
    """Follows goals of the action, and comes back from a reflex step by step.

    Attributes:
        accepting: whether goals are taken.
        asked: the steps of a recovery that were asked for.
        tries_needed: how often a recovery has to clear errors until they are gone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.accepting, self.speaking_state = True, True
        self.asked: list[str] = []
        self.tries_needed = 1
        self.mode, self.errors = MOVE, FrankaRobotState().current_errors
        self._running: Any = None
        self._result = FollowJointTrajectory.Result()
        self.states = self.create_publisher(
            FrankaRobotState, 'franka_robot_state_broadcaster/robot_state', 10
        )
        self.servers = [
            ActionServer(
                self, FollowJointTrajectory, ACTION, self._give_up, goal_callback=self._judge,
                handle_accepted_callback=self._begin,
            ),  # fmt: skip
            ActionServer(self, ErrorRecovery, 'action_server/error_recovery', self._clear),
        ]
        self.create_service(
            SetHardwareComponentState, 'controller_manager/set_hardware_component_state',
            self._activate,
        )  # fmt: skip
        self.create_service(
            SwitchController, 'controller_manager/switch_controller', self._switch
        )
        self.create_timer(0.01, self._tell)

    def reflex(self) -> None:
        """Stop as the robot does: where it is, with an error, and without a controller."""
        self.abort(0, '')
        self.mode, self.errors.cartesian_reflex = REFLEX, True

    def abort(self, code: int, words: str) -> None:
        """Give up the present goal and hold."""
        self.controller.hold(self.state[0], self.now_s)
        self._result = FollowJointTrajectory.Result(error_code=code, error_string=words)
        self._end()

    def _judge(self, _: Any) -> GoalResponse:
        ready = self.accepting and self.mode == MOVE
        return GoalResponse.ACCEPT if ready else GoalResponse.REJECT

    def _begin(self, handle: Any) -> None:
        """Follow a goal instead of the one before; it ends when it is given up."""
        self._end()
        self.on_trajectory(handle.request.trajectory)
        self._running = handle

    def _end(self) -> None:
        if self._running is not None:
            handle, self._running = self._running, None
            handle.execute()

    def _give_up(self, handle: Any) -> Any:
        handle.abort()
        return self._result

    def _clear(self, handle: Any) -> Any:
        self.asked.append('clear')
        if self.asked.count('clear') >= self.tries_needed:
            self.errors.cartesian_reflex = False
            self.mode = IDLE
        handle.succeed()
        return ErrorRecovery.Result()

    def _activate(self, request: Any, response: Any) -> Any:
        self.asked.append(f'{request.name} {request.target_state.label}')
        response.ok = self.mode == IDLE
        return response

    def _switch(self, request: Any, response: Any) -> Any:
        self.asked.append(' '.join(request.activate_controllers))
        self.mode, response.ok = MOVE, True
        return response

    def _tell(self) -> None:
        if self.speaking_state:
            message = FrankaRobotState(robot_mode=self.mode, current_errors=self.errors)
            self.states.publish(message)
