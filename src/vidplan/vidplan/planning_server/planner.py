# SPDX-License-Identifier: Apache-2.0
"""The node `planner`: the action server `plan_task`, the topics `plan` and `planner/markers`."""

from __future__ import annotations

import traceback
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from visualization_msgs.msg import MarkerArray

from vidplan.parameters.planner import PlannerParameters
from vidplan.planning_server.markers import plan_markers
from vidplan.planning_server.planning_host import PlanningHost
from vidplan.ros import qos
from vidplan.ros.conversions import observation_from_message, stamp
from vidplan.ros.diagnostics import (
    DOUBT,
    ERROR,
    OK,
    WARN,
    Diagnostics,
    DurationMeter,
    RateMeter,
    Status,
)
from vidplan.ros.lifecycle import ManagedNode
from vidplan.ros.parameters import declare
from vidplan.tasks.endings import Ending, TaskEnd
from vidplan.tasks.goal_server import ActiveGoal, GoalServer
from vidplan.tasks.observation_feed import ObservationFeed
from vidplan.tasks.ros_arm import RosArm
from vidplan.tasks.task import Outcome, Progress, Request, Timing
from vidplan.tasks.task_runner import TaskContext, TaskRunner
from vidplan_core.data.history import History
from vidplan_core.data.observation import Observation
from vidplan_core.errors import ModelError, ObservationError
from vidplan_msgs.action import PlanTask
from vidplan_msgs.msg import Observation as ObservationMessage

# The stitcher's line in /diagnostics, which knows which camera is missing.
_STITCHER_STATUS = 'stitcher: observation'


class PlannerNode(ManagedNode):
    """Feeds tasks with observations and runs one at a time.

    Goals are accepted while the node is active; deactivating it ends the running one, the arm
    at rest.
    """

    def __init__(self, host: PlanningHost, **kwargs: Any) -> None:
        super().__init__('planner', **kwargs)
        self._host = host
        self.parameters = declare(self, PlannerParameters)
        self.config = self.parameters.core
        self._task_context: TaskContext | None = None
        self._arm: RosArm | None = None
        self._subscriptions_of_tasks: list[Any] = []
        self._latency = DurationMeter()
        self._rates = {'observation': RateMeter(), 'plan': RateMeter()}
        self._last: Outcome | None = None
        self._ready = False
        self._markers = self.create_publisher(MarkerArray, 'planner/markers', qos.PREVIEW)
        # Goals and results of an action travel in services, which no bag can hold.
        self._goal_topic = self.create_publisher(PlanTask.Goal, 'planner/goal', qos.EVENT)
        self._result_topic = self.create_publisher(PlanTask.Result, 'planner/result', qos.EVENT)
        self._goals: GoalServer[PlanTask.Result] = GoalServer(
            self, PlanTask, 'plan_task',
            execute=self._execute,
            refused=self._refused,
            on_interrupt=host.wake.set,
        )  # fmt: skip
        host.viewers.append(self.show)
        host.on_failure = self._log_trace
        self.diagnostics = Diagnostics(self)
        self.diagnostics.add('planning', self._status)

    @property
    def now_s(self) -> float:
        """Present ROS time [s]."""
        return self.get_clock().now().nanoseconds * 1e-9

    def configure(self) -> None:
        """Listen to observations and to the adapter.

        Raises:
            ModelError: no models are loaded.
            ConfigError: the models imagine fewer frames than are to be executed.
        """
        model = self._host.system.world_model.config
        p = self.parameters
        p.check_frames(model.frames)
        self._host.feed = ObservationFeed(
            History(model.history_frames, model.frame_period_s, model.history_ages),
            now_s=lambda: self.now_s,
            max_age_s=p.max_observation_age_s,
            max_silence_s=p.max_silence_s,
        )
        self._arm = RosArm(
            self, self._host.wake,
            base_frame=p.base_frame,
            frame_period_s=model.frame_period_s,
            max_silence_s=p.max_adapter_silence_s,
        )  # fmt: skip
        self._task_context = TaskContext(
            self._host.system, self._host.feed, self._arm, self._host.worker,
            now_s=lambda: self.now_s,
            wake=self._host.wake,
            timing=timing(p, model.frame_period_s),
            on_plan=self._on_plan,
            on_internal_error=self._log_trace,
        )  # fmt: skip
        self._listen()

    def _listen(self) -> None:
        # Groups of their own: a running transition must not hold observations back.
        self._subscriptions_of_tasks = [
            self.create_subscription(
                kind, name, callback, profile, callback_group=MutuallyExclusiveCallbackGroup()
            )
            for kind, name, callback, profile in (
                (ObservationMessage, 'observation', self._on_observation, qos.OBSERVATION),
                (DiagnosticArray, 'diagnostics', self._on_diagnostics, qos.DIAGNOSTICS),
            )
        ]

    def activate(self) -> None:
        """Accept goals."""
        self._goals.open()
        self._ready = False
        self.get_logger().info('active: waits for observations and the adapter')

    def deactivate(self) -> None:
        """End the running goal, the arm at rest, and accept no more."""
        if not self._goals.close(timeout_s=self.parameters.max_rest_s + 5.0):
            self.get_logger().error('the running goal did not end in time')

    def cleanup(self) -> None:
        """Stop listening."""
        for subscription in self._subscriptions_of_tasks:
            self.destroy_subscription(subscription)
        self._subscriptions_of_tasks = []
        if self._arm is not None:
            self._arm.destroy()
        self._arm = self._task_context = self._host.feed = None

    def destroy_node(self) -> None:
        """Take the action away too, which rclpy leaves: a server that is half there."""
        self._goals.destroy()
        super().destroy_node()

    def show(self, plan: Any, observation: Observation) -> None:
        """Publish candidates, choice and target as markers."""
        if self._markers.get_subscription_count():
            when = stamp(observation.stamp_s)
            self._markers.publish(plan_markers(plan, when, self.parameters.base_frame))

    def _on_observation(self, message: ObservationMessage) -> None:
        feed = self._host.feed
        if feed is None:
            return
        self._rates['observation'].tick()
        try:
            feed.push(observation_from_message(message, self._host.layout))
        except (ObservationError, ModelError) as error:  # the models may be gone meanwhile
            feed.reject(str(error))
            self.get_logger().error(f'observation: {error}', throttle_duration_sec=2.0)
        self._host.wake.set()

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        feed = self._host.feed
        ours = f'{self.get_namespace().rstrip("/")}/stitcher'  # robots may share the topic
        for status in message.status:
            found = status.name, status.hardware_id
            if feed is not None and found == (_STITCHER_STATUS, ours):
                feed.note_source('' if status.level == DiagnosticStatus.OK else status.message)
                feed.note_doubt({pair.key: pair.value for pair in status.values}.get(DOUBT, ''))
                self._host.wake.set()

    def _execute(self, active: ActiveGoal) -> tuple[Ending, PlanTask.Result]:
        context = self._task_context
        if context is None:
            end = TaskEnd(Ending.SHUTDOWN, 'the planner is not configured')
            return end.ending, self._refused(end)
        goal: PlanTask.Goal = active.request
        request = Request(
            goal.instruction, goal.target, goal.time_limit_s or self.parameters.time_limit_s
        )
        self.get_logger().info(f"goal: '{goal.instruction}'")
        self._goal_topic.publish(goal)
        outcome = TaskRunner(
            context, request, active.interrupted,
            lambda progress: active.handle.publish_feedback(feedback_message(progress)),
        ).run()  # fmt: skip
        self._tell(outcome)
        result = result_message(outcome)
        self._result_topic.publish(result)
        return outcome.ending, result

    def _tell(self, outcome: Outcome) -> None:
        self._last = outcome
        words = f'{outcome.cycles} cycles, {outcome.duration_s:.1f} s'
        if outcome.ending is Ending.NONE:
            self.get_logger().info(f'goal done: {outcome.target}, {words}')
        else:
            self.get_logger().warning(
                f'goal ended with {outcome.ending.name} after {words}: {outcome.message}'
            )

    def _refused(self, end: TaskEnd) -> PlanTask.Result:
        return PlanTask.Result(
            error_code=end.ending, error_msg=end.message, final_score=float('nan')
        )

    def _on_plan(self, plan: Any, observation: Observation) -> None:
        self._latency.add(plan.latency_s)
        self._rates['plan'].tick()
        for note in plan.notes:
            self.get_logger().warning(note, throttle_duration_sec=5.0)
        self._host.show(plan, observation)

    def _log_trace(self, error: Exception) -> None:
        trace = ''.join(traceback.format_exception(error))
        self.get_logger().error(f'planning failed unexpectedly:\n{trace}')

    def _status(self) -> Status:
        feed, arm = self._host.feed, self._arm
        values: dict[str, object] = {f'{k}_hz': meter.hz for k, meter in self._rates.items()}
        values['busy'] = self._goals.busy
        values['last_goal'] = 'none' if self._last is None else self._last.ending.name
        values |= self._latency.values('plan_latency')
        if self.failure is not None:
            return Status(ERROR, self.failure_text, values)
        if not self.active or feed is None or arm is None:
            return Status(WARN, 'not active', values)
        values['observation_age_s'] = feed.age_s
        values['adapter_silence_s'] = arm.silence_s
        problem = feed.problem() or arm.problem()
        if problem is not None:
            return Status(ERROR if self._goals.busy else WARN, str(problem), values)
        if not self._ready:  # never with a part missing
            self._ready = True
            self.get_logger().info('ready for goals')
        return Status(OK, 'planning' if self._goals.busy else 'waits for a goal', values)


def timing(parameters: PlannerParameters, frame_period_s: float) -> Timing:
    """Return the pace of tasks."""
    p = parameters
    return Timing(
        execute_s=p.execute_frames * frame_period_s,
        settle_s=p.settle_s,
        max_late_plans=p.max_late_plans,
        max_rejected_plans=p.max_rejected_plans,
        max_rest_s=p.max_rest_s,
    )


def feedback_message(progress: Progress) -> PlanTask.Feedback:
    """Return the action's feedback."""
    return PlanTask.Feedback(
        phase=progress.phase,
        cycle=progress.cycle,
        score=progress.score,
        best_candidate=progress.best,
        plan_latency_s=progress.latency_s,
        time_ratio=progress.time_ratio,
        elapsed_s=max(progress.elapsed_s, 0.0),
        target=progress.target,
        term_names=list(progress.terms),
        term_values=[float(value) for value in progress.terms.values()],
        past_stamps=[stamp(past_s) for past_s in progress.past_s],
        committed_stamp=stamp(progress.committed_s),
    )


def result_message(outcome: Outcome) -> PlanTask.Result:
    """Return the action's result."""
    return PlanTask.Result(
        success=outcome.ending is Ending.NONE,
        error_code=outcome.ending,
        error_msg=outcome.message,
        cycles=outcome.cycles,
        late_plans=outcome.late,
        duration_s=max(outcome.duration_s, 0.0),
        final_score=outcome.score,
        target=outcome.target,
    )
