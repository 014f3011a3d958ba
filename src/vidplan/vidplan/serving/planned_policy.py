# SPDX-License-Identifier: Apache-2.0
"""A planning system as a policy: a request is an observation, an answer the motion of a plan."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vidplan.serving.promised_motion import PromisedMotion
from vidplan_core.control.commands import CommittedMotion
from vidplan_core.data.observation import Observation
from vidplan_core.errors import ConfigError, ObservationError, VidPlanError
from vidplan_core.geometry.camera_layout import CameraLayout
from vidplan_core.geometry.fk import flange_pose
from vidplan_core.geometry.robot import RobotModel
from vidplan_core.geometry.se3 import matrix_to_quaternion
from vidplan_core.policy_server.droid import (
    ACTIONS,
    PROMPT,
    RATE_HZ,
    UNIT_RAD_S,
    WRIST,
    exterior_pictures,
    read_picture,
    read_state,
)
from vidplan_eval.lockstep import LockstepPlanner, never

VELOCITY, POSITION = 'joint_velocity', 'joint_position'
ACTION_SPACES = (VELOCITY, POSITION)
# Observations that are kept, and the first of the episode.
MOST_SEEN = 32
# Episodes begin at this time of their own clock, s.
_BEGIN_S = 10.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServedPace:
    """What an answer holds and when the next request comes.

    Attributes:
        action_space: joint_velocity, in units of `unit_rad_s`, or joint_position, rad.
        commands: of an answer.
        executed: of them before the next request.
        rate_hz: of the commands.
        unit_rad_s: speed of a joint that is commanded 1.
    """

    action_space: str = VELOCITY
    commands: int = 6
    executed: int = 6
    rate_hz: float = RATE_HZ
    unit_rad_s: float = UNIT_RAD_S

    def __post_init__(self) -> None:
        if self.action_space not in ACTION_SPACES or not 1 <= self.executed <= self.commands:
            raise ConfigError(
                f'an answer has {self.commands} commands of {self.action_space}, of which '
                f'{self.executed} are executed; allowed: {" or ".join(ACTION_SPACES)}, and at '
                'least one executed, at most all'
            )

    @property
    def period_s(self) -> float:
        """Time from request to request, s."""
        return self.executed / self.rate_hz


@dataclass(frozen=True)
class ServedSight:
    """How the system sees: its views, and how far apart its frames of the past lie.

    Attributes:
        layout: of the views; the one named like a wrist camera is it, the others look on.
        frame_period_s: of the world model, s.
        ages: frames before the present of every frame of the past, oldest first, the last 0.
    """

    layout: CameraLayout
    frame_period_s: float
    ages: Sequence[int]

    @property
    def wrist(self) -> str | None:
        """The view of the camera on the hand, None without one."""
        return next((view for view in self.layout.views if 'wrist' in view), None)

    @property
    def exterior(self) -> tuple[str, ...]:
        """The other views."""
        return tuple(view for view in self.layout.views if view != self.wrist)

    def image(self, message: Mapping[str, Any]) -> NDArray[np.uint8]:
        """The stitched views of a request.

        Raises:
            ObservationError: a picture is missing or wrong.
        """
        found = exterior_pictures(message)
        if len(found) < len(self.exterior):
            raise ObservationError(
                f'{len(self.exterior)} pictures observation/exterior_image_N_left are needed, '
                f'got {len(found)}'
            )
        views = dict(zip(self.exterior, found))
        if self.wrist is not None:
            views[self.wrist] = read_picture(message, WRIST)
        return self.layout.stitch(views)

    def past(self, seen: Sequence[Observation]) -> list[Observation]:
        """The frames of the past, each the nearest of what was seen; before that, the first."""
        now_s = seen[-1].stamp_s
        times = (now_s - age * self.frame_period_s for age in self.ages)
        return [min(seen, key=lambda one: abs(one.stamp_s - time_s)) for time_s in times]


class PlannedPolicy:
    """Serves a planning system; one client computes at a time."""

    def __init__(
        self, system: LockstepPlanner, sight: ServedSight, robot: RobotModel, pace: ServedPace
    ) -> None:
        """Serve a system that plans with a robot."""
        self.system, self.sight, self.robot, self.pace = system, sight, robot, pace
        self.lock = threading.Lock()
        # The six words of RoboArena's greeting and no others, which its clients refuse.
        self.metadata: Mapping[str, Any] = {
            'image_resolution': [sight.layout.height, sight.layout.width],
            'needs_wrist_camera': sight.wrist is not None,
            'n_external_cameras': len(sight.exterior),
            'needs_stereo_camera': False,
            'needs_session_id': False,
            'action_space': pace.action_space,
        }

    def episode(self) -> PlannedEpisode:
        """Start an episode, at rest."""
        return PlannedEpisode(self)


class PlannedEpisode:
    """Follows the instructions of one client; another instruction begins anew."""

    def __init__(self, policy: PlannedPolicy) -> None:
        self._policy = policy
        self._motion = PromisedMotion(policy.robot, policy.sight.frame_period_s)
        self._task: Any = None
        self._prompt = self._error = ''
        self._seen: list[Observation] = []

    def infer(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """See `PolicyEpisode`; a task that cannot be done is answered by standing still.

        `done` says whether the planner finds the task done, `error` names what is wrong with it.

        Raises:
            ObservationError: the request lacks something, or no arm can stand there.
        """
        with self._policy.lock:
            return self._infer(message)

    def _infer(self, message: Mapping[str, Any]) -> dict[str, Any]:
        prompt = str(message.get(PROMPT, ''))
        if prompt != self._prompt:
            self._task, self._prompt, self._seen = None, prompt, []
            self._motion.forget()
        present, committed = self._look(message)
        done, error = False, ''
        notes: list[str] = []
        try:
            done, notes = self._plan(present, committed)
        except VidPlanError as problem:
            error = f'{problem.code}: {problem}'
            if error != self._error:
                _log.warning("'%s': %s", prompt, error)
            self._motion.stop(present.stamp_s)
        self._error = error
        actions = self._actions(present)
        return {ACTIONS: actions, 'done': done, 'error': error, 'notes': notes}

    def _look(self, message: Mapping[str, Any]) -> tuple[Observation, CommittedMotion]:
        """Observe, and recall what the arm was promised to do."""
        pace, robot = self._policy.pace, self._policy.robot
        q, closedness = read_state(message)
        image = self._policy.sight.image(message)
        now_s = self._seen[-1].stamp_s + pace.period_s if self._seen else _BEGIN_S
        try:
            committed = self._motion.look(now_s, q, closedness)
        except VidPlanError as problem:
            raise ObservationError(str(problem)) from problem
        position, rotation = flange_pose(torch.as_tensor(q), robot)
        quaternion = matrix_to_quaternion(rotation).numpy()
        speed = committed.dq[0]
        present = Observation(now_s, image, q, speed, closedness, position.numpy(), quaternion)
        self._seen = [*self._seen[:1], *self._seen[1:][-MOST_SEEN:], present]
        return present, committed

    def _plan(
        self, present: Observation, committed: CommittedMotion
    ) -> tuple[bool, list[str]]:
        """Plan a cycle and promise its motion; returns whether the task is done, and notes."""
        system, sight = self._policy.system, self._policy.sight
        if self._task is None:
            self._task = system.new_task(self._prompt)
        plan = system.plan(self._task, sight.past(self._seen), committed, never)
        if plan.done:
            return True, list(plan.notes)
        refusal = self._motion.promise(plan, present.stamp_s)
        return False, [*plan.notes, *([refusal] if refusal else [])]

    def _actions(self, present: Observation) -> NDArray[np.float32]:
        """Commands (commands, 8) of what is promised, from where the arm is."""
        pace = self._policy.pace
        angles, closedness = self._motion.states(present.stamp_s, pace.commands, pace.rate_hz)
        if pace.action_space == VELOCITY:
            steps = np.diff(np.concatenate([present.q[None], angles]), axis=0)
            angles = np.clip(steps * pace.rate_hz / pace.unit_rad_s, -1.0, 1.0)
        return np.concatenate([angles, closedness[:, None]], axis=1).astype(np.float32)
