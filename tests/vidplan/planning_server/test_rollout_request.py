# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip('vidplan_msgs.msg', reason='needs the built workspace')

from geometry_msgs.msg import Pose

from vidplan.planning_server.rollout_request import rollout_chunk
from vidplan.ros.services import ServiceError
from vidplan_msgs.srv import Rollout

FRAMES = 5


def request(**changes: Any) -> Rollout.Request:
    poses = [Pose() for _ in range(2 * FRAMES)]
    for index, pose in enumerate(poses):
        pose.position.x = float(index)
        pose.orientation.x, pose.orientation.w = 2.0, 0.0
    fields = {
        'candidates': 2, 'frames': FRAMES, 'poses': poses, 'closedness': [0.5] * 2 * FRAMES
    }  # fmt: skip
    return Rollout.Request(**{**fields, **changes})


def test_candidates_after_each_other_and_quaternions_of_any_length() -> None:
    chunk = rollout_chunk(request(), FRAMES, max_candidates=2)
    assert chunk.position[:, :, 0].tolist() == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
    assert chunk.rotation[0, 0].diagonal().tolist() == [1.0, -1.0, -1.0]
    assert chunk.closedness.tolist() == [[0.5] * FRAMES] * 2


@pytest.mark.parametrize(
    ('changes', 'code'),
    [
        ({'frames': 4}, 'WRONG_SIZE'),
        ({'candidates': 0}, 'WRONG_SIZE'),
        ({'closedness': [0.0]}, 'WRONG_SIZE'),
        ({'poses': []}, 'WRONG_SIZE'),
        ({'steps': 1000}, 'WRONG_SIZE'),
        ({'candidates': 65}, 'TOO_MANY'),
        ({'closedness': [float('nan')] * 2 * FRAMES}, 'NONFINITE'),
    ],
)
def test_requests_that_are_refused(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(ServiceError) as caught:
        rollout_chunk(request(**changes), FRAMES, max_candidates=64)
    assert caught.value.code == getattr(Rollout.Response, code)


def test_quaternion_without_length() -> None:
    bad = request()
    bad.poses[3].orientation.x = 0.0
    with pytest.raises(ServiceError, match='no length'):
        rollout_chunk(bad, FRAMES, max_candidates=64)
