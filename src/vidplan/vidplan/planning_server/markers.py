# SPDX-License-Identifier: Apache-2.0
"""What the planner considered, as markers in the robot base frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

if TYPE_CHECKING:
    from vidplan_core.planner.plans.result import PlanResult

CANDIDATES = 'candidates'
CHOSEN = 'chosen'
TARGET = 'target'

_TARGET_SIZE_M = 0.03
_CHOSEN_COLOUR = ColorRGBA(r=1.0, g=0.55, b=0.0, a=1.0)
_TARGET_COLOUR = ColorRGBA(r=0.1, g=0.8, b=0.2, a=0.9)


def plan_markers(plan: PlanResult, stamp: Time, frame_id: str) -> MarkerArray:
    """Return the candidates' flange paths, the chosen one, and the estimated target."""
    paths = plan.candidates.position.detach().double().cpu().numpy()
    scores = _drawable(np.asarray(plan.scores, np.float64))
    span = float(np.ptp(scores)) or 1.0
    # Drawn over what the last cycle drew, which may have been more.
    markers = [Marker(action=Marker.DELETEALL)]
    for index, (path, score) in enumerate(zip(paths, scores, strict=True)):
        worth = float((score - scores.min()) / span)
        colour = ColorRGBA(r=1.0 - worth, g=0.4, b=worth, a=0.25 + 0.5 * worth)
        markers.append(_path(CANDIDATES, index, path, colour, 0.003))
    chosen = plan.chunk.position[0].detach().double().cpu().numpy()
    markers.append(_path(CHOSEN, 0, chosen, _CHOSEN_COLOUR, 0.008))
    markers.append(_sphere(TARGET, plan.target))
    for marker in markers:
        marker.header.stamp = stamp
        marker.header.frame_id = frame_id
    return MarkerArray(markers=markers)


def _drawable(scores: np.ndarray) -> np.ndarray:
    """Scores with the lowest in place of those that are no finite number."""
    finite = np.isfinite(scores)
    return np.where(finite, scores, scores[finite].min(initial=np.inf) if finite.any() else 0.0)


def candidate_paths(markers: MarkerArray) -> np.ndarray:
    """Return the candidates' flange paths (N, F, 3) of `plan_markers`, in their order."""
    chosen = [marker for marker in markers.markers if marker.ns == CANDIDATES]
    paths = [[(p.x, p.y, p.z) for p in marker.points] for marker in chosen]
    return np.array(paths, np.float64).reshape(len(paths), -1, 3)


def _path(
    namespace: str, index: int, path: np.ndarray, colour: ColorRGBA, width_m: float
) -> Marker:
    marker = Marker(ns=namespace, id=index, type=Marker.LINE_STRIP, action=Marker.ADD)
    marker.pose.orientation.w = 1.0
    marker.scale.x = width_m
    marker.color = colour
    marker.points = [Point(x=float(x), y=float(y), z=float(z)) for x, y, z in path]
    return marker


def _sphere(namespace: str, place: np.ndarray) -> Marker:
    marker = Marker(ns=namespace, id=0, type=Marker.SPHERE, action=Marker.ADD)
    marker.pose.orientation.w = 1.0
    position = marker.pose.position
    position.x, position.y, position.z = (float(value) for value in place)
    marker.scale.x = marker.scale.y = marker.scale.z = _TARGET_SIZE_M
    marker.color = _TARGET_COLOUR
    return marker
