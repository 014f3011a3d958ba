# SPDX-License-Identifier: Apache-2.0
"""What the planning server imagines and scores for others, over ROS."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('vidplan_msgs.msg', reason='needs the built workspace')

from geometry_msgs.msg import Pose
from sensor_msgs.msg import Image

from tests.fakes.fake_planner import FRAMES
from tests.vidplan.planning_server.server_graph import ROS_ARGS as ROS_ARGS
from tests.vidplan.planning_server.server_graph import Graph
from vidplan.ros.images import to_image
from vidplan_msgs.srv import Rollout, Score

pytestmark = pytest.mark.ros


def rollout_request(candidates: int = 2) -> Rollout.Request:
    total = candidates * FRAMES
    poses = [Pose() for _ in range(total)]
    return Rollout.Request(
        candidates=candidates, frames=FRAMES, poses=poses, closedness=[0.0] * total, steps=3
    )


def roll_out(graph: Graph, request: Rollout.Request) -> Rollout.Response:
    """Ask until the history is whole: a machine that stood still leaves a gap in it."""

    def answer() -> Rollout.Response | None:
        response = graph.ros.call(Rollout, 'world_model/rollout', request)
        return None if response.error_code == Rollout.Response.NO_OBSERVATION else response

    return graph.ros.spin_until(answer)


def test_rollout(graph: Graph) -> None:
    response = roll_out(graph, rollout_request())
    assert (response.error_code, response.error_msg) == (Rollout.Response.NONE, '')
    assert len(response.images) == 2 * FRAMES
    assert response.images[0].data[0] == 3
    assert response.duration_s > 0


def test_rollout_refuses(graph: Graph) -> None:
    response = graph.ros.call(Rollout, 'world_model/rollout', rollout_request(65))
    assert response.error_code == Rollout.Response.TOO_MANY
    assert '64' in response.error_msg
    assert not response.images


def test_rollout_that_is_not_finite(graph: Graph) -> None:
    graph.system.world_model.broken = True
    response = roll_out(graph, rollout_request())
    assert response.error_code == Rollout.Response.MODEL_ERROR


def white(height: int = 8) -> Image:
    return to_image(np.full((height, 8, 3), 255, np.uint8))


def test_score(graph: Graph) -> None:
    request = Score.Request(images=[white(), white()], phrase='carrot')
    response = graph.ros.call(Score, 'reward/score', request)
    assert response.error_code == Score.Response.NONE
    assert list(response.peaks) == [1.0, 1.0]
    assert list(response.found) == [True, True]
    assert [(p.x, p.y) for p in response.centroids] == [(0.5, 0.5)] * 2
    assert (response.relevancy[0].height, response.relevancy[0].encoding) == (4, '32FC1')


def test_score_refuses(graph: Graph) -> None:
    cases = (
        (Score.Request(phrase='carrot'), 'NO_IMAGES'),
        (Score.Request(images=[white()], phrase=' '), 'INVALID_PHRASE'),
        (Score.Request(images=[white(), white(16)], phrase='carrot'), 'INVALID_IMAGE'),
        (Score.Request(images=[Image(encoding='yuv422')], phrase='carrot'), 'INVALID_IMAGE'),
    )
    for request, code in cases:
        response = graph.ros.call(Score, 'reward/score', request)
        assert (code, response.error_code) == (code, getattr(Score.Response, code))
        assert response.error_msg
