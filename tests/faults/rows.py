# SPDX-License-Identifier: Apache-2.0
"""What can go wrong around a moving arm, and what then happens: the rows of docs/safety.md.

Tests say which row they show by `@pytest.mark.fault('name')`; numbers are those of the defaults.
"""

from __future__ import annotations

from dataclasses import dataclass

from vidplan.parameters.planner import PlannerParameters
from vidplan.parameters.stitcher import StitcherParameters
from vidplan_core.control.config import AdapterConfig

_ADAPTER, _STITCHER, _PLANNER = AdapterConfig(), StitcherParameters(), PlannerParameters()
_SAFETY, _VIEWS = _ADAPTER.safety, _STITCHER.plausibility
_SURPRISE = _PLANNER.core.surprise

_JOINTS_S = f'{_ADAPTER.joint_state_timeout_s:g} s'
_TRACKING = f'{_SAFETY.max_tracking_error_rad:g} rad from where it was sent'
_NEXT = 'the next joint state'
_PLAN = 'when the plan comes'
_AT_ONCE = 'at once'

_BRAKES = 'brakes on its path'
_STAYS = 'brakes on its path, stays until rearmed'
_KEEPS = 'goes on as before, to rest'
_STILL = 'does not move'
_HALTED = 'has stopped; nothing is sent until rearmed'


@dataclass(frozen=True)
class Fault:
    """One thing that can go wrong.

    Attributes:
        name: by which tests refer to it.
        what: happens.
        bound: until it is noticed, at the defaults.
        arm: what the arm does.
        error: by which it is named, constants of AdapterStatus or of a goal's result.
    """

    name: str
    what: str
    bound: str
    arm: str
    error: str


ROWS: dict[str, tuple[Fault, ...]] = {
    'Joint states': (
        Fault('joints_stop', 'stop coming', _JOINTS_S, _BRAKES, 'STALE_JOINT_STATE'),
        Fault('joints_nan', 'NaN or infinite', _JOINTS_S, _BRAKES, 'WRONG_JOINTS'),
        Fault('joints_wrong', 'of other joints, or sizes that differ', _JOINTS_S, _BRAKES,
              'WRONG_JOINTS'),
        Fault('joints_jump', 'jump further than a joint can move', _NEXT, _STAYS, 'JOINT_JUMP'),
        Fault('joints_astray', 'disagree with what was sent, or the arm is pushed', _TRACKING,
              _STAYS, 'TRACKING'),
        Fault('joints_behind', 'fall behind while the arm moves: it presses on something',
              f'{_ADAPTER.contact_error_rad:g} rad more than before',
              'brakes on its path; the planner backs off, at most `retries` times',
              'TASK_INCOMPLETE'),
        Fault('joints_frozen', 'keep their values while the arm moves',
              '0.03 rad of commanded motion, at least 0.1 s', _STAYS, 'FROZEN'),
        Fault('joints_impossible', 'lie outside the range, as degrees do', _NEXT, _STAYS,
              'IMPOSSIBLE'),
        Fault('joints_ahead', 'are stamped ahead', _JOINTS_S, _BRAKES, 'STALE_JOINT_STATE'),
        Fault('joints_never', 'have never come', _PLAN, _STILL, 'NO_JOINT_STATE'),
        Fault('clock_step', 'the clock is set while the arm moves', 'one control period (20 ms)',
              _STAYS, 'CLOCK_STEP'),
        Fault('clock_still', 'the clock stands still',
              f'{_PLANNER.max_silence_s:g} s of wall clock', 'comes to rest', 'STALE_OBSERVATION'),
    ),
    'Plans': (
        Fault('plan_nan', 'NaN or infinite', _PLAN, _KEEPS, 'NONFINITE'),
        Fault('plan_absurd', 'numbers without sense', _PLAN, _KEEPS, 'INVALID'),
        Fault('plan_huge', 'of wrong sizes, or huge', 'before it is read', _KEEPS, 'WRONG_SIZE'),
        Fault('plan_frame', 'in another frame', _PLAN, _KEEPS, 'WRONG_FRAME'),
        Fault('plan_old', 'old, late, or of a lower id', _PLAN, _KEEPS, 'STALE, OUT_OF_ORDER'),
        Fault('plan_future', 'due too far ahead', _PLAN, _KEEPS, 'FUTURE'),
        Fault('plan_stranger', 'from a second planner', _PLAN, _KEEPS, 'WRONG_WRITER'),
        Fault('plan_jump', 'begin elsewhere than where the arm will be', _PLAN, _KEEPS, 'JUMP'),
        Fault('plan_fast', 'too fast', _PLAN, _KEEPS, 'SPEED, LIMIT'),
        Fault('plan_outside', 'leave the boxes of tool and flange', _PLAN, _KEEPS, 'WORKSPACE'),
        Fault('plan_collision', 'take a link to the table, a box or another link', _PLAN, _KEEPS,
              'COLLISION'),
        Fault('plan_unreachable', 'out of reach', _PLAN, _KEEPS, 'UNREACHABLE'),
        Fault('plan_long', f'last longer than {_SAFETY.max_duration_s:g} s', _PLAN, _KEEPS,
              'TOO_LONG'),
        Fault('plan_none', 'no more come', 'the end of the last one', 'rests at its end',
              'PLAN_OVERDUE'),
        Fault('plans_refused', 'are refused again and again',
              f'{_PLANNER.max_rejected_plans} in a row', 'comes to rest', 'PLAN_REJECTED'),
        Fault('plans_late', 'come too late again and again', f'{_PLANNER.max_late_plans} in a row',
              'rests at the end of the last one', 'PLAN_TOO_LATE'),
    ),
    'Controller and robot': (
        Fault('controller_none', 'no controller listens', _AT_ONCE, _STILL, 'NO_CONTROLLER'),
        Fault('controller_refuses', 'refuses a trajectory, or does not answer',
              '0.3 s; with `arm_backend: action`', 'brakes on what it still follows', 'REFUSED'),
        Fault('controller_gives_up', 'gives up a trajectory',
              'when it says so; with `arm_backend: action`', _HALTED, 'ABORTED'),
        Fault('someone_else', 'somebody else commands the arm', f'moves, or {_TRACKING}',
              'nothing is sent', 'TRACKING'),
        Fault('reflex', 'the robot stops itself', 'when it says so; with `watch_robot_state`',
              _HALTED, 'ROBOT_REFLEX'),
        Fault('stopped_by_hand', 'emergency stop, enabling device, guiding',
              'when it says so; with `watch_robot_state`', _HALTED, 'ROBOT_STOPPED'),
        Fault('robot_idle', 'takes no commands', 'when it says so; with `watch_robot_state`',
              _HALTED, 'ROBOT_NOT_READY'),
        Fault('robot_silent', "the robot's state stops coming", '0.25 s; with `watch_robot_state`',
              _STAYS, 'STALE_ROBOT_STATE'),
        Fault('contact', 'the robot feels a collision',
              'when it says so; with `watch_robot_state`', _STAYS, 'CONTACT'),
        Fault('recovery', 'does not come back after an error', 'three tries', _HALTED,
              'RECOVERY_FAILED'),
        Fault('gripper', 'the gripper fails or never answers', 'its time-out',
              'goes on; the next command is sent', 'GRIPPER_FAILED'),
    ),
    'Cameras and gripper': (
        Fault('camera_stops', 'a camera, or all, stop',
              f'{_PLANNER.max_observation_age_s:g} s', 'comes to rest', 'STALE_OBSERVATION'),
        Fault('camera_never', 'no picture ever came', f'{_PLANNER.settle_s:g} s', _STILL,
              'NO_OBSERVATION'),
        Fault('camera_stamp', 'stamps stand still, jump or differ',
              f'{_STITCHER.max_age_s:g} s, {_STITCHER.max_skew_s:g} s between cameras',
              'comes to rest', 'STALE_OBSERVATION'),
        Fault('camera_dark', 'a lens is covered: black, white, grey', 'the next picture',
              'comes to rest', 'STALE_OBSERVATION'),
        Fault('camera_size', 'another size or encoding', 'the next picture', 'comes to rest',
              'INVALID_OBSERVATION'),
        Fault('camera_frozen', 'old pictures with new stamps',
              f'{_VIEWS.frozen_after_m:g} m of the flange; with `check_views`', 'comes to rest',
              'INVALID_OBSERVATION'),
        Fault('camera_noise', 'noise', 'the next picture; with `check_views`', 'comes to rest',
              'INVALID_OBSERVATION'),
        Fault('camera_moved', 'cameras moved or swapped', 'the next picture; with `check_views`',
              'comes to rest', 'INVALID_OBSERVATION'),
        Fault('outcome', 'a view shows something else than was imagined of the last motion',
              f'the next plan, {_SURPRISE.max_surprise:g} nats; with `stop_on_surprise`',
              'comes to rest', 'UNEXPECTED_OUTCOME'),
        Fault('hand_state', 'gripper states stop, or are NaN', f'{_STITCHER.max_age_s:g} s',
              'comes to rest', 'STALE_OBSERVATION'),
    ),
    'Processes': (
        Fault('server_killed', 'the planning server is killed', 'the end of the last plan',
              'rests at its end', 'PLAN_OVERDUE'),
        Fault('server_paused', 'the planning server is paused (SIGSTOP)',
              'the end of the last plan', 'rests at its end', 'PLAN_OVERDUE'),
        Fault('server_ends', 'the planning server is asked to end, or deactivated', _AT_ONCE,
              'comes to rest first', 'SHUTDOWN'),
        Fault('adapter_killed', 'the adapter is killed',
              f'{_PLANNER.max_adapter_silence_s:g} s', 'rests at the end of what was sent',
              'NO_ADAPTER'),
        Fault('adapter_paused', 'the adapter is paused (SIGSTOP)',
              f'{_PLANNER.max_adapter_silence_s:g} s', 'rests at the end of what was sent',
              'NO_ADAPTER'),
        Fault('adapter_ends', 'the adapter is asked to end, or deactivated', _AT_ONCE,
              'comes to rest first', 'INACTIVE'),
        Fault('adapter_fault', 'the adapter has a fault', 'its next status', 'comes to rest',
              'ADAPTER_FAULT'),
        Fault('callback_fails', 'adapter or planning server fail where nobody expected it',
              _AT_ONCE, 'comes to rest; unconfigured until configured again', 'INTERNAL'),
        Fault('stitcher_killed', 'the stitcher is killed',
              f'{_PLANNER.max_observation_age_s:g} s', 'comes to rest', 'STALE_OBSERVATION'),
        Fault('model_fails', 'a model fails, or returns NaN', 'the same cycle', 'comes to rest',
              'MODEL_ERROR'),
        Fault('respawn', 'stitcher or planning server end unasked', _AT_ONCE,
              'comes to rest; they start again, at most `respawn_tries` times',
              'the log says so'),
        Fault('graph_falls', 'a process of `vidplan up` ends that does not start again', _AT_ONCE,
              'comes to rest; all processes end', 'exit status above 0'),
        Fault('disk_full', 'the disk is full while recording', 'the next chunk',
              'goes on: recording is not needed to move', 'RECORDING_FAILED'),
    ),
    'People and files': (
        Fault('cancel', 'a goal is cancelled', _AT_ONCE, 'comes to rest', 'CANCELED'),
        Fault('stop', 'adapter/stop is called', _AT_ONCE, _BRAKES, 'STOP_REQUESTED'),
        Fault('preempt', 'a newer goal comes, or many', _AT_ONCE, 'comes to rest in between',
              'PREEMPTED'),
        Fault('time_limit', 'a goal takes too long, or its limit makes no sense', 'its limit',
              'comes to rest', 'TIME_LIMIT, INVALID_TIME_LIMIT'),
        Fault('nonsense', 'words that are no task, or beyond the models', _AT_ONCE, _STILL,
              'INVALID_INSTRUCTION'),
        Fault('target', 'nothing in view is what was named', 'the first look', _STILL,
              'TARGET_NOT_FOUND'),
        Fault('parameter', 'a parameter that no node knows, or out of range', 'at the start',
              _STILL, 'INVALID_CONFIG'),
        Fault('models', 'models that are corrupt or foreign', 'at the start', _STILL,
              'INVALID_MODEL'),
        Fault('models_gone', 'the models are taken from an active planner', _AT_ONCE,
              'comes to rest', 'INVALID_OBSERVATION'),
        Fault('transition', 'a change of state that is not possible is asked for', _AT_ONCE,
              'goes on as before', 'the answer says no'),
        Fault('replay', 'a recording is played beside a robot', 'at the start', _STILL,
              'nothing is sent'),
    ),
}  # fmt: skip
