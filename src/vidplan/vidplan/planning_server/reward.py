# SPDX-License-Identifier: Apache-2.0
"""The node `reward`: finds phrases on request, shows where the target's relevancy is."""

from __future__ import annotations

from typing import Any

import numpy as np
from geometry_msgs.msg import Point
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from sensor_msgs.msg import Image

from vidplan.parameters.reward import RewardParameters
from vidplan.planning_server.planning_host import PlanningHost
from vidplan.ros import qos
from vidplan.ros.conversions import stamp
from vidplan.ros.diagnostics import ERROR, OK, WARN, Diagnostics, DurationMeter, Status
from vidplan.ros.images import image_to_rgb, to_image
from vidplan.ros.lifecycle import ManagedNode
from vidplan.ros.parameters import declare
from vidplan.ros.services import ServiceError, answer
from vidplan_core.data.observation import Observation
from vidplan_core.errors import InstructionError, ModelError, ObservationError
from vidplan_msgs.srv import Score

Response = Score.Response

_CODES: dict[type[Exception], int] = {
    ObservationError: Response.INVALID_IMAGE,
    InstructionError: Response.INVALID_PHRASE,
    ModelError: Response.MODEL_ERROR,
}




class RewardNode(ManagedNode):
    """Service `reward/score`, topics `reward/relevancy` (values), `reward/overlay` (colours)."""

    def __init__(self, host: PlanningHost, **kwargs: Any) -> None:
        super().__init__('reward', **kwargs)
        self._host = host
        self.parameters = declare(self, RewardParameters)
        self._scores = DurationMeter()
        self._relevancy = self.create_publisher(Image, 'reward/relevancy', qos.PREVIEW)
        self._overlay = self.create_publisher(Image, 'reward/overlay', qos.PREVIEW)
        self._service = self.create_service(
            Score, 'reward/score', self._on_score, callback_group=MutuallyExclusiveCallbackGroup()
        )
        host.viewers.append(self.show)
        self.diagnostics = Diagnostics(self)
        self.diagnostics.add('scorer', self._status)

    def configure(self) -> None:
        """Check that the models are there; raises ModelError."""
        _ = self._host.system.scorer

    def show(self, plan: Any, observation: Observation) -> None:
        """Publish the target's relevancy, stamped as the observation."""
        if not (self.active and self.parameters.publish_relevancy):
            return
        when = stamp(observation.stamp_s)
        maps = np.ascontiguousarray(plan.relevancy, np.float32)
        if self._relevancy.get_subscription_count():
            stacked = maps.reshape(-1, maps.shape[-1])
            self._relevancy.publish(to_image(stacked, when, 'relevancy'))
        if self._overlay.get_subscription_count():
            self._overlay.publish(to_image(overlay(observation.image, maps), when, 'relevancy'))

    def _on_score(self, request: Score.Request, response: Score.Response) -> Score.Response:
        def score() -> None:
            self._score(request, response)

        return answer(response, score, _CODES, self._scores, self.get_logger())

    def _score(self, request: Score.Request, response: Score.Response) -> None:
        if not self.active:
            raise ServiceError(Response.INACTIVE, 'the node reward is not active')
        count = len(request.images)
        if not 0 < count <= self.parameters.max_images:
            raise ServiceError(
                Response.NO_IMAGES, f'{count} images; allowed: 1 .. {self.parameters.max_images}'
            )
        if not request.phrase.strip():
            raise ServiceError(Response.INVALID_PHRASE, 'the phrase is empty; name an object')
        views = [image_to_rgb(image) for image in request.images]
        if len({view.shape for view in views}) > 1:
            raise ServiceError(Response.INVALID_IMAGE, 'the images differ in size')
        system = self._host.system
        maps, found = self._host.submit(score, system, np.stack(views), request.phrase).result()
        response.peaks = found.peak.tolist()
        response.centroids = [Point(x=x, y=y) for x, y in found.centroid.tolist()]
        response.found = found.found.tolist()
        response.relevancy = [to_image(one, frame_id='relevancy') for one in maps]

    def _status(self) -> Status:
        values = self._scores.values('score')
        if self.failure is not None:
            return Status(ERROR, self.failure_text, values)
        return Status(OK, 'ready', values) if self.active else Status(WARN, 'not active', values)


def score(system: Any, views: np.ndarray, phrase: str) -> tuple[np.ndarray, Any]:
    """Return relevancy maps float32 (images, rows, columns) and their localisation.

    Args:
        system: The planning system, for its scorer.
        views: uint8 (images, height, width, 3).
        phrase: What to look for.

    Raises:
        ModelError: a map is not finite.
    """
    import torch

    with torch.no_grad():
        pixels = torch.from_numpy(views).permute(0, 3, 1, 2).to(system.device).float() / 255.0
        maps = system.scorer.relevancy(pixels, phrase)
        if not bool(torch.isfinite(maps).all()):
            raise ModelError('the relevancy is not finite; are these the right weights?')
        found = system.scorer.localise(maps)
    return maps.float().cpu().numpy(), found


def overlay(stitched: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """Return the stitched image (views * H, W, 3) with the relevancy (views, h, w) over it."""
    from vidplan_eval.viz.drawing import overlay_relevancy

    views = np.split(stitched, len(maps))
    return np.concatenate(
        [overlay_relevancy(view, one) for view, one in zip(views, maps, strict=True)]
    )
