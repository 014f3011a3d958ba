# SPDX-License-Identifier: Apache-2.0
"""What can go wrong around a goal: cameras, processes, the planner, and people."""

from __future__ import annotations

import signal
from collections.abc import Callable
from functools import partial
from typing import Any

from lifecycle_msgs.msg import Transition
from rclpy.action import ActionClient
from sensor_msgs.msg import Image, JointState

from vidplan.parameters.planner import PlannerParameters
from vidplan.parameters.stitcher import StitcherParameters
from vidplan.ros.conversions import stamp
from vidplan.tasks.endings import Ending
from vidplan.trials.live_fault import Bound, LiveFault, nothing
from vidplan.trials.pace import RealTime
from vidplan.trials.planner import FAIL
from vidplan.trials.processes import SERVER, GraphProcesses
from vidplan.trials.simulated_cameras import SimulatedCameras
from vidplan.trials.stand import MOVE_S, NAMESPACE, START_S, Stand, TrialError
from vidplan_core.data.readings import seconds
from vidplan_msgs.action import PlanTask

_PLANNER, _STITCHER = PlannerParameters(), StitcherParameters()
# Of a goal that is not to end by itself, and of one that is; a plan comes within, s.
_LONG_S, _SHORT_S, _PLAN_S = 600.0, 4.0, 0.8
# A paused process answers again within, s.
_AGAIN_S = 60.0
# What was killed is started so often at most.
_STARTS = 3
# What each process publishes.
_SAYS = {'stitcher': 'observation', SERVER: 'plan', 'adapter': 'adapter/status'}
_INSTRUCTION = 'move to the carrot'


class GraphStand(Stand):
    """Stitcher, adapter and planning server, with a planner that moves the arm to and fro.

    Attributes:
        processes: that move the arm.
        cameras: what the stitcher sees.
        handle: of the goal that runs, None where none does.
        sent_s: when it was sent, ROS time, s.
        limit_s: that goals have; 0 for a long one.
    """

    def __init__(self, seed: int, on_line: Callable[[str, str], None]) -> None:
        super().__init__(seed, RealTime())
        self.processes = GraphProcesses(NAMESPACE, on_line)
        self.cameras: SimulatedCameras = self.add(SimulatedCameras(NAMESPACE))
        self.client = ActionClient(self.node, PlanTask, 'plan_task')
        self.handle: Any = None
        self.sent_s = 0.0
        self.limit_s = 0.0

    def __exit__(self, *words: object) -> None:
        self.processes.stop()
        self.client.destroy()
        super().__exit__(*words)

    def start_all(self) -> None:
        """Start the processes."""
        for name in self.processes.names:
            self.processes.start(name)

    def ready(self) -> bool:
        """Whether the adapter is ready, and goals are taken."""
        return super().ready() and self.client.server_is_ready()

    def publishers(self, topic: str) -> set[bytes]:
        """Return who publishes on a topic; one that was killed is among them for a while."""
        found = self.node.get_publishers_info_by_topic(f'/{NAMESPACE}/{topic}')
        return {bytes(one.endpoint_gid) for one in found}

    def set_in_motion(self) -> None:
        """Send a goal; what it ends with is among `names` then."""
        goal = PlanTask.Goal(instruction=_INSTRUCTION, time_limit_s=self.limit_s or _LONG_S)
        for _ in range(60):
            self.sent_s = self.arm.now_s
            sent = self.client.send_goal_async(goal)
            if self.until(sent.done, MOVE_S) and sent.result().accepted:
                self.handle = handle = sent.result()
                ended = partial(self._on_end, handle)
                handle.get_result_async().add_done_callback(ended)
                return
            self.spin(0.5)
        raise TrialError('no goal is taken')

    def _on_end(self, handle: Any, future: Any) -> None:
        self.handle = None if self.handle is handle else self.handle
        code = future.result().result.error_code
        self.names.append(Ending(code).name if code in set(Ending) else str(code))

    def heal(self) -> None:
        """Tell the truth again; a goal that still runs ends."""
        super().heal()
        self.cameras.tell_truth()
        if self.handle is not None:
            self.handle.cancel_goal_async()
        self.until(lambda: self.handle is None, MOVE_S)


def _after(stand: GraphStand, bound_s: float) -> Bound:
    noticed_s = stand.arm.now_s + bound_s
    return lambda: noticed_s


def _end_of_sent(stand: GraphStand) -> Bound:
    return lambda: stand.arm.end_s


Picture = Callable[[str, Image], Image | None]


def _show(change: Picture, bound_s: float) -> Callable[[GraphStand], Bound]:
    def begin(stand: GraphStand) -> Bound:
        stand.cameras.change = change
        return _after(stand, bound_s)

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
    return _after(stand, _STITCHER.max_age_s + _PLANNER.max_observation_age_s)


def _signal(
    name: str, number: signal.Signals, bound: Callable[[GraphStand], Bound] = _end_of_sent
) -> Callable[[GraphStand], Bound]:
    def begin(stand: GraphStand) -> Bound:
        noticed = bound(stand)
        stand.processes.child(name).send(number)
        return noticed

    return begin


def _is_new(stand: GraphStand, name: str, before: set[bytes]) -> bool:
    return bool(stand.publishers(_SAYS[name]) - before)


def _start(name: str) -> Callable[[GraphStand], bool]:
    """Start what was killed, and only that, until it takes part.

    Where one was killed, Fast DDS does not always find its successor; the next one it does.
    """

    def recover(stand: GraphStand) -> bool:
        for _ in range(_STARTS):
            before = stand.publishers(_SAYS[name])
            stand.processes.start(name)
            stand.starts, stand.handle = stand.starts + 1, None
            stand.until(partial(_is_new, stand, name, before), START_S)
            if stand.moves_again():
                return True
        return False

    return recover


def _go_on(name: str) -> Callable[[GraphStand], bool]:
    def recover(stand: GraphStand) -> bool:
        stand.processes.child(name).send(signal.SIGCONT)
        stand.until(lambda: stand.handle is None, _AGAIN_S)
        return True

    return recover


def _kill_server(stand: GraphStand) -> Bound:
    stand.processes.child(SERVER).send(signal.SIGKILL)
    return _end_of_sent(stand)


def _change(node: str, *transitions: int) -> Callable[[GraphStand], bool]:
    def change(stand: GraphStand) -> bool:
        return all(stand.change_state(node, one) for one in transitions)

    return change


_DOWN = _change('planner', Transition.TRANSITION_DEACTIVATE)
_UP = _change('planner', Transition.TRANSITION_ACTIVATE)


def _deactivate(stand: GraphStand) -> Bound:
    bound = _after(stand, 0.0)
    _DOWN(stand)
    return bound


def _fail(stand: GraphStand) -> Bound:
    stand.processes.child(SERVER).send(FAIL)
    return _after(stand, _PLAN_S)


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
    return _after(stand, 0.0)


def _preempt(stand: GraphStand) -> Bound:
    """A newer goal comes, and is cancelled before it moves the arm."""
    bound = _after(stand, 0.0)
    stand.set_in_motion()
    newer = stand.handle
    newer.cancel_goal_async()
    return bound


def _joint_fault(stand: GraphStand) -> Bound:
    def change(message: JointState) -> JointState:
        message.position[1] += 0.5
        return message

    stand.arm.words.joints = change
    return _after(stand, 0.01)


_SEEN = f'{_PLANNER.max_observation_age_s:g} s'
_SEEN_S = _PLANNER.max_observation_age_s
_QUIET = f'{_PLANNER.max_adapter_silence_s:g} s'
_BOTH = f'{_STITCHER.max_age_s:g} s and {_SEEN}'
_END = 'the end of what was sent'
_STALE = ('STALE_OBSERVATION',)

GRAPH_FAULTS: tuple[LiveFault, ...] = (
    LiveFault('camera_stops', _SEEN, _STALE, _show(_no_left, _SEEN_S)),
    LiveFault('cameras_stop', _SEEN, _STALE, _show(_none, _SEEN_S)),
    LiveFault('camera_stamp', _SEEN, _STALE, _show(_old_stamp, _SEEN_S)),
    LiveFault('camera_dark', _SEEN, _STALE, _show(_dark, _SEEN_S)),
    LiveFault('camera_size', _SEEN, ('INVALID_OBSERVATION', *_STALE), _show(_wrong_size, _SEEN_S)),
    LiveFault('hand_state', _BOTH, _STALE, _no_hand),
    LiveFault('stitcher_killed', _SEEN, _STALE,
              _signal('stitcher', signal.SIGKILL, lambda stand: _after(stand, _SEEN_S)),
              _start('stitcher')),
    LiveFault('server_killed', _END, ('PLAN_OVERDUE',), _kill_server, _start(SERVER)),
    LiveFault('server_paused', _END, ('PLAN_OVERDUE',), _signal(SERVER, signal.SIGSTOP),
              _go_on(SERVER)),
    LiveFault('server_ends', 'at once', ('SHUTDOWN',), _deactivate, _UP),
    LiveFault('adapter_killed', _END, ('NO_ADAPTER',), _signal('adapter', signal.SIGKILL),
              _start('adapter')),
    LiveFault('adapter_paused', _END, ('NO_ADAPTER',), _signal('adapter', signal.SIGSTOP),
              _go_on('adapter')),
    LiveFault('adapter_fault', 'the next state', ('ADAPTER_FAULT',), _joint_fault, Stand.rearm),
    LiveFault('model_fails', f'the next plan, {_PLAN_S:g} s', ('MODEL_ERROR',), _fail),
    LiveFault('time_limit', 'the limit', ('TIME_LIMIT',), _limit),
    LiveFault('preempt', 'at once', ('PREEMPTED',), _preempt),
)  # fmt: skip

CANCEL = LiveFault('cancel', 'at once', ('CANCELED',), _cancel, nothing)

