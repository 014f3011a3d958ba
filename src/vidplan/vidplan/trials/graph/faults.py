# SPDX-License-Identifier: Apache-2.0
"""What can go wrong around a goal: cameras, the planner, and people."""

from __future__ import annotations

from collections.abc import Callable

from sensor_msgs.msg import Image, JointState

from vidplan.parameters.planner import PlannerParameters
from vidplan.parameters.stitcher import StitcherParameters
from vidplan.ros.conversions import stamp
from vidplan.trials.graph.planner import FAIL
from vidplan.trials.graph.process_faults import PROCESS_FAULTS
from vidplan.trials.graph.processes import SERVER
from vidplan.trials.graph.stand import GraphStand, after
from vidplan.trials.live_fault import Bound, LiveFault, nothing
from vidplan.trials.stand import Stand
from vidplan_core.data.readings import seconds

_PLANNER, _STITCHER = PlannerParameters(), StitcherParameters()
# Of a goal that ends by its limit; a plan comes within, s.
_SHORT_S, _PLAN_S = 4.0, 0.8
_SEEN_S = _PLANNER.max_observation_age_s
_SEEN = f'{_SEEN_S:g} s'
_BOTH = f'{_STITCHER.max_age_s:g} s and {_SEEN}'
_STALE = ('STALE_OBSERVATION',)


Picture = Callable[[str, Image], Image | None]


def _show(change: Picture, bound_s: float) -> Callable[[GraphStand], Bound]:
    def begin(stand: GraphStand) -> Bound:
        stand.cameras.change = change
        return after(stand, bound_s)

    return begin


def _no_left(view: str, message: Image) -> Image | None:
    return None if view == 'left' else message


def _none(view: str, message: Image) -> Image | None:
    del view, message
    return None


def _old_stamp(view: str, message: Image) -> Image:
    if view == 'left':
        message.header.stamp = stamp(seconds(message.header.stamp) - 2.0)
    return message


def _dark(view: str, message: Image) -> Image:
    if view == 'left':
        message.data = bytes(len(message.data))
    return message


def _wrong_size(view: str, message: Image) -> Image:
    if view == 'left':
        message.height += 1
    return message


def _no_hand(stand: GraphStand) -> Bound:
    def silence(message: JointState) -> None:
        del message

    stand.cameras.change_hand = silence
    return after(stand, _STITCHER.max_age_s + _PLANNER.max_observation_age_s)


def _fail(stand: GraphStand) -> Bound:
    stand.processes.child(SERVER).send(FAIL)
    return after(stand, _PLAN_S)


def _limit(stand: GraphStand) -> Bound:
    """Another goal, which ends by its limit; it counts from when the goal begins."""
    stand.heal()
    stand.wait_for_rest()
    stand.forget()
    stand.limit_s = _SHORT_S
    stand.set_in_motion()
    due_s, stand.limit_s = stand.sent_s + _SHORT_S, 0.0
    return lambda: due_s


def _cancel(stand: GraphStand) -> Bound:
    stand.handle.cancel_goal_async()
    return after(stand, 0.0)


def _preempt(stand: GraphStand) -> Bound:
    """A newer goal comes, and is cancelled before it moves the arm."""
    bound = after(stand, 0.0)
    stand.set_in_motion()
    newer = stand.handle
    newer.cancel_goal_async()
    return bound


def _joint_fault(stand: GraphStand) -> Bound:
    def change(message: JointState) -> JointState:
        message.position[1] += 0.5
        return message

    stand.arm.words.joints = change
    return after(stand, 0.01)


GRAPH_FAULTS: tuple[LiveFault, ...] = (
    LiveFault('camera_stops', _SEEN, _STALE, _show(_no_left, _SEEN_S)),
    LiveFault('cameras_stop', _SEEN, _STALE, _show(_none, _SEEN_S)),
    LiveFault('camera_stamp', _SEEN, _STALE, _show(_old_stamp, _SEEN_S)),
    LiveFault('camera_dark', _SEEN, _STALE, _show(_dark, _SEEN_S)),
    LiveFault('camera_size', _SEEN, ('INVALID_OBSERVATION', *_STALE), _show(_wrong_size, _SEEN_S)),
    LiveFault('hand_state', _BOTH, _STALE, _no_hand),
    *PROCESS_FAULTS,
    LiveFault('adapter_fault', 'the next state', ('ADAPTER_FAULT',), _joint_fault, Stand.rearm),
    LiveFault('model_fails', f'the next plan, {_PLAN_S:g} s', ('MODEL_ERROR',), _fail),
    LiveFault('time_limit', 'the limit', ('TIME_LIMIT',), _limit),
    LiveFault('preempt', 'at once', ('PREEMPTED',), _preempt),
)

CANCEL = LiveFault('cancel', 'at once', ('CANCELED',), _cancel, nothing)
