# SPDX-License-Identifier: Apache-2.0
"""The page's robot over ROS: listens to the graph, sends goals, stops the arm."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any

from rclpy.action import ActionClient
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger

from vidplan.page.watch import PageError, Watch
from vidplan.ros import qos
from vidplan.ros.images import image_to_rgb
from vidplan.tasks.endings import Ending
from vidplan_core.language.deeds import deed_words
from vidplan_core.language.instruction import parse_instruction
from vidplan_msgs.action import PlanTask
from vidplan_msgs.msg import AdapterStatus, Observation

# How long a stop is waited for until it counts as not confirmed, s.
STOP_S = 2.0
_COMMANDS_HZ = 50.0
_PHASES = ('observing', 'planning', 'executing', 'stopping')
_STATES = ('idle', 'executing', 'holding', 'stopping', 'FAULT')
_PICTURES = {
    'imagined': 'world_model/prediction',
    'imagined, uncertain red': 'world_model/uncertainty',
    'relevancy': 'reward/overlay',
}


class RosLink(Node):
    """A RobotLink: its commands are handed to the thread that spins it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__('operator_page', **kwargs)
        self.watch = Watch()
        self._commands: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._handle: Any = None
        self._number = 0
        self._goals = ActionClient(self, PlanTask, 'plan_task')
        self._stopper = self.create_client(Trigger, 'adapter/stop')
        self.create_subscription(Observation, 'observation', self._on_observation, qos.OBSERVATION)
        self.create_subscription(AdapterStatus, 'adapter/status', self._on_status, qos.LATCHED)
        for name, topic in _PICTURES.items():
            self.create_subscription(Image, topic, self._shows(name), qos.PREVIEW)
        self.create_timer(1.0 / _COMMANDS_HZ, self._obey)

    def send(self, instruction: str) -> None:
        """Send a goal; a running one is replaced.

        Raises:
            InstructionError: it is not understood; nothing is sent.
            PageError: there is no planning server.
        """
        parse_instruction(instruction)
        if not self._goals.server_is_ready():
            raise PageError('no planning server answers; is `vidplan up` running?')
        self._commands.put(lambda: self._send(instruction))

    def stop(self) -> str:
        """Have the adapter brake, then cancel the goal.

        Raises:
            PageError: the adapter did not confirm it in time.
        """
        if not self._stopper.service_is_ready():
            raise PageError(
                'the action adapter does not answer: STOP is NOT CONFIRMED. If the arm moves, use '
                'its emergency stop'
            )
        confirmed: Future[str] = Future()
        self._commands.put(lambda: self._stop(confirmed))
        try:
            return confirmed.result(STOP_S)
        except TimeoutError:
            raise PageError(
                f'no confirmation within {STOP_S:.0f} s: if the arm moves, use its emergency stop'
            ) from None

    def _obey(self) -> None:
        while True:
            try:
                self._commands.get_nowait()()
            except Empty:
                return

    def _stop(self, confirmed: Future[str]) -> None:
        answer = self._stopper.call_async(Trigger.Request())
        answer.add_done_callback(lambda done: confirmed.set_result(done.result().message))
        self._number += 1  # a goal that is still being accepted is canceled then
        if self._handle is not None:
            self._handle.cancel_goal_async()

    def _send(self, instruction: str) -> None:
        self._number += 1
        number = self._number
        self.watch.tell('goal', instruction=instruction, phase='sent', result='')
        sent = self._goals.send_goal_async(
            PlanTask.Goal(instruction=instruction),
            feedback_callback=lambda message: self._on_feedback(number, message.feedback),
        )
        sent.add_done_callback(
            lambda done: self._on_accepted(number, instruction, done.result())
        )

    def _on_accepted(self, number: int, instruction: str, handle: Any) -> None:
        if not handle.accepted:
            self._tell(number, phase='ended', result='rejected: the planner is not active')
            return
        if number != self._number:  # stopped, or replaced, in the meantime
            handle.cancel_goal_async()
            return
        self._handle = handle
        handle.get_result_async().add_done_callback(
            lambda done: self._on_result(number, instruction, done.result().result)
        )

    def _on_result(self, number: int, instruction: str, result: PlanTask.Result) -> None:
        self.watch.tell('goal', phase='ended', result=end_words(instruction, result))
        if number == self._number:
            self._handle = None

    def _on_feedback(self, number: int, feedback: PlanTask.Feedback) -> None:
        score = '' if math.isnan(feedback.score) else f'{feedback.score:.3f}'
        self._tell(
            number, phase=_PHASES[feedback.phase], cycle=feedback.cycle, score=score,
            target=feedback.target,
        )  # fmt: skip

    def _tell(self, number: int, **words: Any) -> None:
        if number == self._number:
            self.watch.tell('goal', **words)

    def _on_observation(self, message: Observation) -> None:
        rgb = image_to_rgb(message.image)
        for row, view in enumerate(message.views):
            height = message.view_height
            self.watch.see(view, rgb[row * height : (row + 1) * height])
        self.watch.alive('observation')

    def _on_status(self, message: AdapterStatus) -> None:
        self.watch.alive('adapter')
        problem = message.error_msg if message.error_code else 'none'
        self.watch.tell('adapter', adapter=_STATES[message.state], problem=problem)

    def _shows(self, name: str) -> Callable[[Image], None]:
        return lambda message: self.watch.see(name, image_to_rgb(message))


def end_words(instruction: str, result: PlanTask.Result) -> str:
    """Return how a goal ended: its code, and what was done or why not."""
    if result.success:
        return f'SUCCESS: {deed_words(instruction, result.target)}'
    return f'{_ending(result.error_code)}: {result.error_msg}'


def _ending(code: int) -> str:
    try:
        return Ending(code).name
    except ValueError:
        return f'ERROR_{code}'
