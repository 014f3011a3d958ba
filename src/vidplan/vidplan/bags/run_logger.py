# SPDX-License-Identifier: Apache-2.0
"""Listens to a running graph and keeps what a video and a report need."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node
from sensor_msgs.msg import Image
from visualization_msgs.msg import MarkerArray

from vidplan.planning_server.markers import candidate_paths
from vidplan.ros import qos
from vidplan.ros.conversions import pose_arrays, seconds
from vidplan.ros.images import image_to_rgb
from vidplan.tasks.goal_client import GoalEnd
from vidplan_eval.viz.runlog import PlanRecord, RunLog, RunResult, SeenFrame
from vidplan_msgs.msg import Observation, Plan, Truth

if TYPE_CHECKING:
    from vidplan_sim.expert.ending import TrueEnding

_PLANNER_STATUS = 'planner: planning'


class RunLogger(Node):
    """Fills a RunLog while it is spun.

    Pictures and markers come on topics of their own, after the plan; the stamp of the
    observation that was planned from brings them together.

    Attributes:
        planner_ready: Whether the planner waits for a goal with everything it needs.
        planner_says: Its own words.
        truth: Where things really are, if the robot is simulated.
        truth_before: The same when it began to keep observations.
    """

    def __init__(self, log: RunLog, **kwargs: Any) -> None:
        super().__init__('run_logger', **kwargs)
        self._log = log
        self.planner_ready = False
        self.planner_says = 'starts'
        self.truth: Truth | None = None
        self.truth_before: Truth | None = None
        self._keeping = False
        self._plans: dict[int, Plan] = {}
        self._strips: dict[int, np.ndarray] = {}
        self._heats: dict[int, np.ndarray] = {}
        self._futures: dict[int, np.ndarray] = {}
        self._maps: dict[int, np.ndarray] = {}
        self._candidates: dict[int, np.ndarray] = {}
        self._latencies_s: dict[int, float] = {}
        self._time_ratios: dict[int, float] = {}
        self._paces: dict[int, float] = {}
        for kind, name, callback, profile in (
            (Observation, 'observation', self._on_observation, qos.OBSERVATION),
            (Plan, 'plan', self._on_plan, qos.OBSERVATION),
            (Image, 'world_model/prediction', self._on_strip, qos.PREVIEW),
            (Image, 'world_model/uncertainty', self._on_heat, qos.PREVIEW),
            (Image, 'world_model/futures', self._on_futures, qos.PREVIEW),
            (Image, 'reward/relevancy', self._on_map, qos.PREVIEW),
            (MarkerArray, 'planner/markers', self._on_markers, qos.PREVIEW),
            (Truth, 'cell/truth', self._on_truth, 10),
            (DiagnosticArray, 'diagnostics', self._on_diagnostics, qos.DIAGNOSTICS),
        ):
            self.create_subscription(kind, name, callback, profile)

    def keep(self) -> None:
        """Keep observations from now on."""
        self._keeping = True
        self.truth_before = self.truth

    def note_cycle(self, cycle: int, latency_s: float, time_ratio: float) -> None:
        """Keep what the feedback of a cycle, from 1, reports; a time ratio of NaN is not known."""
        self._latencies_s[cycle] = latency_s
        if not math.isnan(time_ratio):
            self._time_ratios[cycle] = time_ratio

    def note_pace(self, cycle: int, real_time_factor: float) -> bool:
        """Keep how fast simulated time passed in a cycle; False where that is known already."""
        if cycle < 1 or cycle in self._paces:
            return False
        self._paces[cycle] = real_time_factor
        return True

    def so_far(self) -> RunLog:
        """Put the plans that came so far into the log and return it.

        The last one is left out: its pictures and markers are still on their way.
        """
        self._log.plans = [self._record(key) for key in sorted(self._plans)[:-1]]
        return self._log

    def finish(self, end: GoalEnd) -> RunLog:
        """Put plans and result into the log and return it."""
        result = end.result
        self._log.target = result.target
        self._log.plans = [self._record(key) for key in sorted(self._plans)]
        self._log.result = RunResult(
            end.success, end.code, result.error_msg, result.cycles, result.duration_s,
            result.late_plans,
        )
        return self._log

    def true_ending(self, verb: str, way: str, kind: str) -> TrueEnding | None:
        """Judge what became of an object of the simulated cell; None where nobody knows."""
        from vidplan_sim.expert.ending import true_ending  # loads MuJoCo

        before, now = self.truth_before, self.truth
        if before is None or now is None:
            return None
        tool = np.array([now.tcp.x, now.tcp.y, now.tcp.z])
        return true_ending(verb, kind, _places(before), _places(now), tool, way)

    def _record(self, key: int) -> PlanRecord:
        plan = self._plans[key]
        views = len(self._log.views)
        position, quaternion = pose_arrays(plan.poses)
        strip = self._strips.get(key, _NO_STRIP)
        maps = self._maps.get(key, np.zeros((0, 0), np.float32))
        frames = len(plan.poses)
        return PlanRecord(
            stamp_s=seconds(plan.observation_stamp),
            start_s=seconds(plan.start_time),
            cycle=plan.cycle - 1,
            predicted=_frames(strip, frames),
            relevancy=maps.reshape(views, -1, maps.shape[-1]) if maps.size else _NO_MAPS,
            candidates=self._candidates.get(key, np.zeros((0, frames, 3))),
            scores=np.array(plan.candidate_scores, np.float64),
            best=plan.best_candidate,
            score=plan.score,
            position=position,
            quaternion=quaternion,
            closedness=np.array(plan.closedness, np.float64),
            latency_s=self._latencies_s.get(plan.cycle, math.nan),
            heat=_frames(self._heats.get(key, _NO_STRIP), frames - 1),
            futures=_frames(self._futures.get(key, _NO_STRIP), len(plan.candidate_scores)),
            time_ratio=self._time_ratios.get(plan.cycle, math.nan),
            real_time_factor=self._paces.get(plan.cycle, math.nan),
        )

    def _on_observation(self, message: Observation) -> None:
        if not self._keeping:
            return
        position, quaternion = pose_arrays([message.flange_pose])
        self._log.views = tuple(message.views)
        self._log.seen.append(
            SeenFrame(
                stamp_s=seconds(message.header.stamp),
                image=image_to_rgb(message.image),
                position=position[0],
                quaternion=quaternion[0],
                closedness=message.gripper_closedness,
                q=np.array(message.joint_positions, np.float64),
            )
        )

    def _on_plan(self, message: Plan) -> None:
        self._log.frame_period_s = message.frame_period_s
        self._plans[_nanoseconds(message.observation_stamp)] = message

    def _on_strip(self, message: Image) -> None:
        self._strips[_nanoseconds(message.header.stamp)] = image_to_rgb(message)

    def _on_heat(self, message: Image) -> None:
        self._heats[_nanoseconds(message.header.stamp)] = image_to_rgb(message)

    def _on_futures(self, message: Image) -> None:
        self._futures[_nanoseconds(message.header.stamp)] = image_to_rgb(message)

    def _on_map(self, message: Image) -> None:
        values = np.frombuffer(message.data, np.float32).reshape(message.height, message.width)
        self._maps[_nanoseconds(message.header.stamp)] = values.copy()

    def _on_markers(self, message: MarkerArray) -> None:
        if message.markers:
            stamp = message.markers[0].header.stamp
            self._candidates[_nanoseconds(stamp)] = candidate_paths(message)

    def _on_truth(self, message: Truth) -> None:
        self.truth = message
        self.truth_before = self.truth_before or message

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == _PLANNER_STATUS:
                self.planner_ready = status.level == DiagnosticStatus.OK
                self.planner_says = status.message


_NO_STRIP = np.zeros((0, 0, 3), np.uint8)
_NO_MAPS = np.zeros((0, 0, 0), np.float32)


def _places(truth: Truth) -> dict[str, np.ndarray]:
    """Centres (3,) by name, base frame, m."""
    centres = [pose.position for pose in truth.poses]
    places = [np.array([centre.x, centre.y, centre.z]) for centre in centres]
    return dict(zip(truth.names, places, strict=True))


def _nanoseconds(stamp: Any) -> int:
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def _frames(strip: np.ndarray, frames: int) -> np.ndarray:
    """Cut a strip (H, frames * W, 3) into (frames, H, W, 3); none from an empty one."""
    if not strip.size:
        return np.zeros((0, 0, 0, 3), np.uint8)
    return np.stack(np.split(strip, frames, axis=1))
