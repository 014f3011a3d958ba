# SPDX-License-Identifier: Apache-2.0
"""The node `world_model`: loads the models, imagines on request, shows the imagined strip."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from sensor_msgs.msg import Image

from vidplan.bringup.description import share_directory
from vidplan.parameters.world_model import WorldModelParameters
from vidplan.planning_server.planning_host import PlanningHost
from vidplan.planning_server.rollout_request import imagine, rollout_chunk
from vidplan.planning_server.share_of_time import ShareOfTime
from vidplan.ros import qos
from vidplan.ros.conversions import stamp
from vidplan.ros.diagnostics import ERROR, OK, WARN, Diagnostics, DurationMeter, Status
from vidplan.ros.images import to_image
from vidplan.ros.lifecycle import ManagedNode
from vidplan.ros.parameters import declare
from vidplan.ros.services import ServiceError, answer
from vidplan_core.data.observation import Observation
from vidplan_core.errors import ModelError
from vidplan_core.geometry.robot_files import load_robot
from vidplan_core.models.manifest import check_manifest
from vidplan_core.planner.config import PlannerConfig
from vidplan_msgs.srv import Rollout

Response = Rollout.Response


class WorldModelNode(ManagedNode):
    """Service `world_model/rollout`; topics `.../prediction`, `.../uncertainty`, `.../futures`."""

    def __init__(self, host: PlanningHost, config: PlannerConfig, **kwargs: Any) -> None:
        super().__init__('world_model', **kwargs)
        self._host = host
        self._config = config
        self.parameters = declare(self, WorldModelParameters)
        self._loaded_s = float('nan')
        self._drawing = ShareOfTime(self.parameters.drawing_share)
        self._rollouts = DurationMeter()
        self._publisher = self.create_publisher(Image, 'world_model/prediction', qos.PREVIEW)
        self._heat_map = self.create_publisher(Image, 'world_model/uncertainty', qos.PREVIEW)
        self._futures = self.create_publisher(Image, 'world_model/futures', qos.PREVIEW)
        self._service = self.create_service(
            Rollout, 'world_model/rollout', self._on_rollout,
            callback_group=MutuallyExclusiveCallbackGroup(),
        )  # fmt: skip
        host.viewers.append(self.show)
        self.diagnostics = Diagnostics(self)
        self.diagnostics.add('models', self._status)

    @property
    def folder(self) -> Path:
        """The folder of the models."""
        models = self.parameters.models
        return Path(models) if models else share_directory() / 'models' / 'cell'

    def configure(self) -> None:
        """Load the models; raises ModelError."""
        import torch

        if self.parameters.threads:
            torch.set_num_threads(self.parameters.threads)
        started_s = time.monotonic()
        folder = self.folder
        check_manifest(folder, self.parameters.require_manifest)
        robot = self.parameters.pace.slow(load_robot(self.parameters.robot))
        self._host.load(folder, self._config, self.parameters.device, robot)
        self._loaded_s = time.monotonic() - started_s
        self.get_logger().info(
            f'models of {folder} on {self.parameters.device}, ready in {self._loaded_s:.1f} s'
        )

    def cleanup(self) -> None:
        """Forget the models."""
        self._host.unload()

    def show(self, plan: Any, observation: Observation) -> None:
        """Publish a plan's frames and their uncertainty, each side by side.

        Stamped as the observation; the heat map has no frame for the present, which is known.
        The last frames of all candidates go with the plan's. On a CPU they cost half as much as
        a plan, so after drawing comes a rest, see `drawing_share`.
        """
        self._drawing.do(partial(self._draw, plan, observation))

    def _draw(self, plan: Any, observation: Observation) -> None:
        parameters = self.parameters
        if parameters.publish_prediction and self._publisher.get_subscription_count():
            self._publish(self._publisher, plan.predicted, observation)
        if parameters.publish_uncertainty and self._heat_map.get_subscription_count():
            self._publish(self._heat_map, plan.heat, observation)
        if parameters.publish_prediction and self._futures.get_subscription_count():
            self._publish(self._futures, plan.futures, observation)

    def _publish(self, publisher: Any, frames: np.ndarray, observation: Observation) -> None:
        if not self.active or not len(frames):
            return
        strip = np.concatenate(list(frames), axis=1)
        publisher.publish(to_image(strip, stamp(observation.stamp_s), 'imagined'))

    def _on_rollout(
        self, request: Rollout.Request, response: Rollout.Response
    ) -> Rollout.Response:
        def rollout() -> None:
            self._roll_out(request, response)

        codes: dict[type[Exception], int] = {ModelError: Response.MODEL_ERROR}
        return answer(response, rollout, codes, self._rollouts, self.get_logger())

    def _roll_out(self, request: Rollout.Request, response: Rollout.Response) -> None:
        if not self.active:
            raise ServiceError(Response.INACTIVE, 'the node world_model is not active')
        system = self._host.system
        frames = system.world_model.config.frames
        chunk = rollout_chunk(request, frames, self.parameters.max_candidates)
        feed = self._host.feed
        problem = feed.problem() if feed is not None else None
        history = feed.sample() if feed is not None else None
        if problem is not None or history is None:
            why = problem.message if problem is not None else 'too few observations yet'
            raise ServiceError(Response.NO_OBSERVATION, why)
        steps = request.steps or self.parameters.rollout_steps
        images = self._host.submit(imagine, system, history, chunk, steps, request.seed).result()
        when = stamp(history[-1].stamp_s)
        response.images = [to_image(image, when, 'imagined') for image in images]
        response.observation_stamp = when

    def _status(self) -> Status:
        values: dict[str, object] = {'load_s': self._loaded_s}
        values |= self._rollouts.values('rollout')
        if self.failure is not None:
            return Status(ERROR, self.failure_text, values)
        if not self.active:
            return Status(WARN, 'not active', values)
        return Status(OK, f'{self.folder.name} on {self.parameters.device}', values)
