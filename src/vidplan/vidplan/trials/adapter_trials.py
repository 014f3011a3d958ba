# SPDX-License-Identifier: Apache-2.0
"""What can go wrong around the adapter alone: joint states, plans, the robot, and people."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from lifecycle_msgs.msg import Transition
from rclpy.node import Node
from sensor_msgs.msg import JointState

from vidplan.ros import qos
from vidplan.ros.conversions import stamp
from vidplan.trials.adapter_stand import AdapterStand
from vidplan.trials.live_fault import Bound, LiveFault, nothing
from vidplan.trials.random_plans import SPOILED
from vidplan.trials.stand import MOVE_S, Stand
from vidplan_core.control.config import AdapterConfig
from vidplan_core.control.franka.robot_state import IDLE, USER_STOPPED
from vidplan_core.data.readings import seconds
from vidplan_msgs.msg import Plan

_CONFIG = AdapterConfig()
_SILENCE_S = _CONFIG.joint_state_timeout_s
_ASTRAY_RAD = _CONFIG.safety.max_tracking_error_rad
# Joint states and robot states come so often; the adapter looks so often, s.
_NEXT_S, _CYCLE_S = 0.01, 0.02
# A fault of the joints that grows does so at this pace, rad/s.
_DRIFT_RAD_S = 0.6
# A motion of the commanded joints that frozen joint states are noticed in, s and rad.
_FROZEN_S, _FROZEN_RAD = 0.1, 0.03
# So much of a motion must be left then, rad.
_WAY_RAD = 2 * _FROZEN_RAD

Change = Callable[[JointState], JointState | None]


def _after(stand: AdapterStand, bound_s: float) -> Bound:
    noticed_s = stand.arm.now_s + bound_s
    return lambda: noticed_s


def _end_of_sent(stand: AdapterStand) -> Bound:
    return lambda: stand.arm.end_s


def _silence(message: JointState) -> None:
    del message


def _nan(message: JointState) -> JointState:
    message.position[3] = math.nan
    return message


def _others(message: JointState) -> JointState:
    message.name = [f'other_{name}' for name in message.name]
    return message


def _one_less(message: JointState) -> JointState:
    message.position = message.position[:-1]
    return message


def _ahead(message: JointState) -> JointState:
    message.header.stamp = stamp(seconds(message.header.stamp) + 3600.0)
    return message


def _degrees(message: JointState) -> JointState:
    message.position = [math.degrees(value) for value in message.position]
    return message


def _jump(message: JointState) -> JointState:
    message.position[1] += 0.5
    return message


def _say(change: Change, bound_s: float) -> Callable[[AdapterStand], Bound]:
    """A fault of joint states that is noticed within a time."""

    def begin(stand: AdapterStand) -> Bound:
        stand.arm.words.joints = change
        return _after(stand, bound_s)

    return begin


def _drift(stand: AdapterStand) -> Bound:
    began_s = stand.arm.now_s

    def change(message: JointState) -> JointState:
        message.position[0] += _DRIFT_RAD_S * (seconds(message.header.stamp) - began_s)
        return message

    stand.arm.words.joints = change
    return _after(stand, _ASTRAY_RAD / _DRIFT_RAD_S + _NEXT_S)


def _freeze(stand: AdapterStand) -> Bound:
    """Keep the values; noticed when the commanded joints moved on for so long and so far."""
    while stand.arm.way_left < _WAY_RAD:  # nobody could notice
        stand.wait_for_rest()
        stand.move()
    began_s, (q, dq) = stand.arm.now_s, stand.arm.state
    noticed: list[float] = []

    def change(message: JointState) -> JointState:
        now_s, way = stand.arm.now_s, max(abs(stand.arm.state[0] - q))
        if not noticed and way > _FROZEN_RAD and now_s > began_s + _FROZEN_S:
            noticed.append(now_s + _NEXT_S)
        message.position, message.velocity = q.tolist(), dq.tolist()
        return message

    stand.arm.words.joints = change
    return lambda: noticed[0] if noticed else stand.arm.now_s


def _pushed(stand: AdapterStand) -> Bound:
    """Somebody else moves the resting arm, and ends that himself."""
    stand.wait_for_rest()
    stand.forget()
    away_rad = -math.copysign(0.4, stand.arm.state[0][0])  # or plans are out of reach at last
    stand.arm.push(away_rad, 1.0)
    return _end_of_sent(stand)


def _robot(bound_s: float = _NEXT_S, **fields: Any) -> Callable[[AdapterStand], Bound]:
    """A state of the robot; in those in which it does not move, it stops by itself."""

    def begin(stand: AdapterStand) -> Bound:
        if 'mode' in fields:
            stand.arm.reflex()
        state = stand.arm.words.state
        stand.arm.words.state = replace(state, errors=(), **fields) if state else None
        return _after(stand, bound_s)

    return begin


def _reflex(stand: AdapterStand) -> Bound:
    stand.arm.reflex()
    return _after(stand, _NEXT_S)


def _stuck_reflex(stand: AdapterStand) -> Bound:
    stand.arm.words.heals = False
    stand.arm.reflex()
    stand.ask('adapter/recover')
    return _after(stand, _NEXT_S)


def _quiet_robot(stand: AdapterStand) -> Bound:
    stand.arm.words.state = None
    return _after(stand, 0.25)


def _recover(stand: AdapterStand) -> bool:
    """Ask for a recovery, which also rearms."""
    stand.arm.words.heals = True
    stand.wait_for_rest()
    return stand.ask('adapter/recover')


def _refuse(stand: AdapterStand) -> Bound:
    stand.arm.words.refuses = True
    stand.publisher.publish(stand.plans.joining(stand.status, stand.arm.now_s))
    return _after(stand, _CYCLE_S + _NEXT_S)


def _nobody(stand: AdapterStand) -> Bound:
    stand.arm.listen(False)
    return _end_of_sent(stand)


def _somebody(stand: AdapterStand) -> bool:
    stand.arm.listen(True)
    return True


def _stop(stand: AdapterStand) -> Bound:
    bound = _after(stand, 0.0)
    stand.ask('adapter/stop')
    return bound


def _deactivate(stand: AdapterStand) -> Bound:
    bound = _after(stand, 0.0)
    stand.change_state('adapter', Transition.TRANSITION_DEACTIVATE)
    return bound


def _activate(stand: AdapterStand) -> bool:
    stand.forget()
    return stand.change_state('adapter', Transition.TRANSITION_ACTIVATE)


def _impossible_transition(stand: AdapterStand) -> Bound:
    if not stand.change_state('adapter', Transition.TRANSITION_CONFIGURE):
        stand.names.append('the answer says no')
    return _end_of_sent(stand)


def _stranger(stand: AdapterStand) -> Bound:
    """A second node publishes a plan, and goes."""
    node = stand.add(Node('stranger', namespace=stand.node.get_namespace()))
    publisher = node.create_publisher(Plan, 'plan', qos.COMMAND)
    stand.until(publisher.get_subscription_count, MOVE_S)
    publisher.publish(stand.plans.joining(stand.status, stand.arm.now_s))
    stand.until(lambda: 'WRONG_WRITER' in stand.names, MOVE_S)
    node.destroy_node()
    return _end_of_sent(stand)


def _alone(stand: AdapterStand) -> bool:
    return stand.until(lambda: stand.node.count_publishers('plan') == 1, MOVE_S)


def _spoiled(name: str) -> Callable[[AdapterStand], Bound]:
    def begin(stand: AdapterStand) -> Bound:
        plan = stand.plans.joining(stand.status, stand.arm.now_s)
        SPOILED[name][0](plan)
        stand.publisher.publish(plan)
        return _end_of_sent(stand)

    return begin


_SILENCE = f'{_SILENCE_S:g} s'
_NEXT = 'the next state'
_END = 'the end of what was sent'
_REARM = Stand.rearm
_OF_THE_JOINTS: tuple[LiveFault, ...] = (
    LiveFault('joints_stop', _SILENCE, ('STALE_JOINT_STATE',), _say(_silence, _SILENCE_S)),
    LiveFault('joints_nan', _SILENCE, ('WRONG_JOINTS',), _say(_nan, _SILENCE_S)),
    LiveFault('joints_wrong', _SILENCE, ('WRONG_JOINTS',), _say(_one_less, _SILENCE_S)),
    LiveFault('joints_others', _SILENCE, ('STALE_JOINT_STATE',), _say(_others, _SILENCE_S)),
    LiveFault('joints_ahead', _SILENCE, ('STALE_JOINT_STATE',), _say(_ahead, _SILENCE_S)),
    LiveFault('joints_jump', _NEXT, ('JOINT_JUMP', 'TRACKING'), _say(_jump, _NEXT_S), _REARM),
    LiveFault('joints_impossible', _NEXT, ('IMPOSSIBLE',), _say(_degrees, _NEXT_S), _REARM),
    LiveFault('joints_astray', f'{_ASTRAY_RAD:g} rad at {_DRIFT_RAD_S:g} rad/s',
              ('TRACKING', 'JOINT_JUMP'), _drift, _REARM),
    LiveFault('joints_frozen', f'{_FROZEN_RAD:g} rad, {_FROZEN_S:g} s', ('FROZEN',), _freeze,
              _REARM),
)  # fmt: skip
_OF_THE_ROBOT: tuple[LiveFault, ...] = (
    LiveFault('someone_else', "the end of the other's motion", ('TRACKING',), _pushed, _REARM),
    LiveFault('controller_none', _END, ('NO_CONTROLLER',), _nobody, _somebody),
    LiveFault('controller_refuses', _NEXT, ('REFUSED',), _refuse, _REARM),
    LiveFault('reflex', _NEXT, ('ROBOT_REFLEX',), _reflex, _recover),
    LiveFault('recovery', _NEXT, ('RECOVERY_FAILED',), _stuck_reflex, _recover),
    LiveFault('stopped_by_hand', _NEXT, ('ROBOT_STOPPED',), _robot(mode=USER_STOPPED), _REARM),
    LiveFault('robot_idle', _NEXT, ('ROBOT_NOT_READY',), _robot(mode=IDLE), _REARM),
    LiveFault('robot_silent', '0.25 s', ('STALE_ROBOT_STATE',), _quiet_robot, _REARM),
    LiveFault('contact', _NEXT, ('CONTACT',), _robot(collisions=('joint 3',)), _REARM),
)  # fmt: skip
_OF_PEOPLE: tuple[LiveFault, ...] = (
    LiveFault('stop', 'at once', ('STOP_REQUESTED',), _stop),
    LiveFault('adapter_ends', 'at once', ('INACTIVE',), _deactivate, _activate),
    LiveFault('transition', _END, ('the answer says no',), _impossible_transition),
    LiveFault('plan_stranger', _END, ('WRONG_WRITER',), _stranger, _alone),
    LiveFault('plan_none', _END, ('PLAN_OVERDUE',), _end_of_sent, nothing),
)  # fmt: skip
_OF_PLANS = tuple(
    LiveFault(name, _END, names, _spoiled(name)) for name, (_, names) in SPOILED.items()
)

ADAPTER_FAULTS = _OF_THE_JOINTS + _OF_THE_ROBOT + _OF_PEOPLE + _OF_PLANS

