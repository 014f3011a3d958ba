# SPDX-License-Identifier: Apache-2.0
"""What can happen to the processes around a goal."""

from __future__ import annotations

import signal
from collections.abc import Callable
from functools import partial

from lifecycle_msgs.msg import Transition

from vidplan.parameters.planner import PlannerParameters
from vidplan.trials.graph import adapter, planner
from vidplan.trials.graph.processes import SERVER
from vidplan.trials.graph.stand import INTERNAL, STARTS_AGAIN, GraphStand, after
from vidplan.trials.live_fault import Bound, LiveFault
from vidplan.trials.stand import START_S

# A paused process answers again within, s.
_AGAIN_S = 60.0
# What was killed is started so often at most.
_STARTS = 3
# What each process publishes.
_SAYS = {'stitcher': 'observation', SERVER: 'plan', 'adapter': 'adapter/status'}
# The next joint state comes within, and the next observation, s.
_STATE_S, _LOOK_S = 0.01, 0.1
_SEEN_S = PlannerParameters().max_observation_age_s
_SEEN = f'{_SEEN_S:g} s'
_END = 'the end of what was sent'


def _end_of_sent(stand: GraphStand) -> Bound:
    return lambda: stand.arm.end_s


def _within(bound_s: float) -> Callable[[GraphStand], Bound]:
    return lambda stand: after(stand, bound_s)


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


def _change(node: str, *transitions: int) -> Callable[[GraphStand], bool]:
    def change(stand: GraphStand) -> bool:
        return all(stand.change_state(node, one) for one in transitions)

    return change


_DOWN = _change('planner', Transition.TRANSITION_DEACTIVATE)
_UP = _change('planner', Transition.TRANSITION_ACTIVATE)


def _deactivate(stand: GraphStand) -> Bound:
    bound = after(stand, 0.0)
    _DOWN(stand)
    return bound


def _kill_watched(
    name: str, bound: Callable[[GraphStand], Bound]
) -> Callable[[GraphStand], Bound]:
    """Kill a process that somebody watches, as `vidplan up` does."""

    def begin(stand: GraphStand) -> Bound:
        stand.before = stand.publishers(_SAYS[name])
        stand.watch(name)
        return _signal(name, signal.SIGKILL, bound)(stand)

    return begin


def _wait_for(name: str) -> Callable[[GraphStand], bool]:
    """Start nothing: wait until the process takes part that was started again.

    Where it does not, that is a failure; it is then started for what is tried next.
    """

    def recover(stand: GraphStand) -> bool:
        stand.handle = None
        stand.until(partial(_is_new, stand, name, stand.before), START_S)
        if stand.moves_again():
            return True
        stand.leave_alone()
        _start(name)(stand)
        return False

    return recover


_FROM_THE_GROUND = Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE

PROCESS_FAULTS: tuple[LiveFault, ...] = (
    LiveFault('stitcher_killed', _SEEN, ('STALE_OBSERVATION',),
              _signal('stitcher', signal.SIGKILL, _within(_SEEN_S)), _start('stitcher')),
    LiveFault('server_killed', _END, ('PLAN_OVERDUE',), _signal(SERVER, signal.SIGKILL),
              _start(SERVER)),
    LiveFault('respawn', _SEEN, (STARTS_AGAIN,),
              _kill_watched('stitcher', _within(_SEEN_S)), _wait_for('stitcher')),
    LiveFault('respawn_server', _END, (STARTS_AGAIN,),
              _kill_watched(SERVER, _end_of_sent), _wait_for(SERVER)),
    LiveFault('server_paused', _END, ('PLAN_OVERDUE',), _signal(SERVER, signal.SIGSTOP),
              _go_on(SERVER)),
    LiveFault('server_ends', 'at once', ('SHUTDOWN',), _deactivate, _UP),
    LiveFault('callback_fails', f'the next observation, {_LOOK_S:g} s', (INTERNAL,),
              _signal(SERVER, planner.FAIL_CALLBACK, _within(_LOOK_S)),
              _change('planner', *_FROM_THE_GROUND)),
    LiveFault('adapter_killed', _END, ('NO_ADAPTER',), _signal('adapter', signal.SIGKILL),
              _start('adapter')),
    LiveFault('adapter_paused', _END, ('NO_ADAPTER',), _signal('adapter', signal.SIGSTOP),
              _go_on('adapter')),
    LiveFault('callback_fails_adapter', 'the next state', (INTERNAL,),
              _signal('adapter', adapter.FAIL, _within(_STATE_S)),
              _change('adapter', *_FROM_THE_GROUND)),
)  # fmt: skip
