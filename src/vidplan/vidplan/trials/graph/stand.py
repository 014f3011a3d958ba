# SPDX-License-Identifier: Apache-2.0
"""Stitcher, adapter and planning server as processes, and who sends them goals."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.action import ActionClient

from vidplan.bringup.supervising import Supervisor
from vidplan.ros import qos
from vidplan.tasks.endings import Ending
from vidplan.trials.graph.cameras import SimulatedCameras
from vidplan.trials.graph.processes import GraphProcesses
from vidplan.trials.live_fault import Bound
from vidplan.trials.pace import RealTime
from vidplan.trials.stand import MOVE_S, NAMESPACE, Stand, TrialError
from vidplan_msgs.action import PlanTask

# Of a goal that is not to end by itself; one is taken within, s.
_LONG_S, _TAKEN_S = 600.0, 45.0
# Somebody looks after processes so often, s.
_LOOK_S = 0.1
_INSTRUCTION = 'move to the carrot'
#: How diagnostics name an exception that nobody expected, and its name in a trial.
INTERNAL = 'INTERNAL'
#: What a trial hears where a process is started again unasked.
STARTS_AGAIN = 'STARTS_AGAIN'


class GraphStand(Stand):
    """Stitcher, adapter and planning server, with a planner that moves the arm to and fro.

    Attributes:
        processes: that move the arm.
        cameras: what the stitcher sees.
        handle: of the goal that runs, None where none does.
        sent_s: when it was sent, ROS time, s.
        limit_s: that goals have; 0 for a long one.
        before: who published what a process says, before that was killed.
    """

    def __init__(self, seed: int, on_line: Callable[[str, str], None]) -> None:
        super().__init__(seed, RealTime())
        self.processes = GraphProcesses(NAMESPACE, on_line)
        self.cameras: SimulatedCameras = self.add(SimulatedCameras(NAMESPACE))
        self.client = ActionClient(self.node, PlanTask, 'plan_task')
        self.node.create_subscription(
            DiagnosticArray, 'diagnostics', self._on_diagnostics, qos.DIAGNOSTICS
        )
        self._supervisor: Supervisor | None = None
        self.node.create_timer(_LOOK_S, self._look)
        self.handle: Any = None
        self.sent_s = 0.0
        self.limit_s = 0.0
        self.before: set[bytes] = set()

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
        deadline_s = self._pace.time_s() + _TAKEN_S
        while self._pace.time_s() < deadline_s:
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

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        failed = any(status.message.startswith(f'{INTERNAL}: ') for status in message.status)
        if failed and INTERNAL not in self.names:
            self.names.append(INTERNAL)

    def watch(self, name: str) -> None:
        """Have somebody look after a process as `vidplan up` does, until `heal`."""
        self._supervisor = self.processes.watch(name, self._on_supervisor)

    def leave_alone(self) -> None:
        """Have nobody look after processes."""
        self._supervisor = None

    def _look(self) -> None:
        if self._supervisor is not None:
            self._supervisor.look()

    def _on_supervisor(self, words: str) -> None:
        if 'starts again' in words:
            self.names.append(STARTS_AGAIN)

    def heal(self) -> None:
        """Tell the truth again; a goal that still runs ends."""
        super().heal()
        self.leave_alone()
        self.cameras.tell_truth()
        if self.handle is not None:
            self.handle.cancel_goal_async()
        self.until(lambda: self.handle is None, MOVE_S)


def after(stand: GraphStand, bound_s: float) -> Bound:
    """Return a bound so long after now."""
    noticed_s = stand.arm.now_s + bound_s
    return lambda: noticed_s
