# SPDX-License-Identifier: Apache-2.0
"""The steps that bring a Franka robot back after an error, in the order that its driver wants.

Order: franka_ros2, franka_hardware/doc/index.rst: error recovery, hardware active, controllers.
"""

from __future__ import annotations

from typing import Any

from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from rclpy.node import Node

from vidplan_core.control.franka.recovery import Done, Step


def franka_steps(
    node: Node, hardware: str, controllers: list[str]
) -> tuple[ActionClient, list[Step]]:
    """Return the steps, and the client of the action among them.

    Args:
        node: that asks.
        hardware: component of ros2_control that drives the robot.
        controllers: that are to be active in the end; those that are already stay so.

    Raises:
        ImportError: franka_msgs or controller_manager_msgs are not installed.
    """
    from controller_manager_msgs.srv import SetHardwareComponentState, SwitchController
    from franka_msgs.action import ErrorRecovery

    clear = ActionClient(node, ErrorRecovery, 'action_server/error_recovery')
    activate = node.create_client(
        SetHardwareComponentState, 'controller_manager/set_hardware_component_state'
    )
    switch = node.create_client(SwitchController, 'controller_manager/switch_controller')
    active = SetHardwareComponentState.Request(name=hardware)
    active.target_state.label = 'active'
    start = SwitchController.Request(
        activate_controllers=controllers, strictness=SwitchController.Request.BEST_EFFORT
    )
    return clear, [
        Step('error recovery', lambda done: _send(clear, ErrorRecovery.Goal(), done), 10.0),
        Step(f'activation of {hardware}', lambda done: _call(activate, active, done)),
        Step('activation of controllers', lambda done: _call(switch, start, done)),
    ]


def _send(client: ActionClient, goal: Any, done: Done) -> None:
    if not client.server_is_ready():
        done(f'no action server {client._action_name}')
        return

    def on_answer(future: Any) -> None:
        handle = future.result()
        if handle.accepted:
            handle.get_result_async().add_done_callback(on_result)
        else:
            done('refused')

    def on_result(future: Any) -> None:
        status = future.result().status
        done('' if status == GoalStatus.STATUS_SUCCEEDED else f'ended with status {status}')

    client.send_goal_async(goal).add_done_callback(on_answer)


def _call(client: Any, request: Any, done: Done) -> None:
    if not client.service_is_ready():
        done(f'no service {client.srv_name}')
        return

    def on_answer(future: Any) -> None:
        answer = future.result()
        done('' if answer.ok else getattr(answer, 'message', '') or 'refused')

    client.call_async(request).add_done_callback(on_answer)
