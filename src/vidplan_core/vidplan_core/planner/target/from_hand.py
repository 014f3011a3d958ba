# SPDX-License-Identifier: Apache-2.0
"""Where the camera on the hand sees a small thing that lies under it.

All views together place a pea to 0.8 cm in nine of ten looks from over it, this camera alone to
0.4 cm once the height is known; half a centimetre is what the fingers lose it by.
"""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.heads.grounding import PEAK_SCALE, InstructionGrounding
from vidplan_core.planner.target.locating import TargetLocator

# What seems to lie lower than this, m, is a small thing on the table, with its centre so high.
LOW_M, LIES_M = 0.03, 0.015
# Farther from the tool than this it counts no more than others do, m.
UNDER_M = 0.16
# It must mean the same thing as the other views.
AGREE_M = 0.025
# Of the scorer's threshold, in `PEAK_SCALE`: sigmoid(2) = 0.88 is certain.
CERTAIN = 2.0


def placed_from_hand(
    locator: TargetLocator,
    grounding: InstructionGrounding,
    poses: PoseChunk,
    tool: Tensor,
    grip: float,
) -> InstructionGrounding:
    """The grounding with a low target where the hand's camera sees it; the same if it does not.

    Args:
        locator: knows the cameras, and what counts as seen.
        grounding: of one scene, looked up in its views.
        poses: flange poses (1, frames), the last one of when it was seen.
        tool: tool centre point (3,) of then, base frame, m.
        grip: closedness that is commanded; closed fingers may hold it anywhere.
    """
    cameras = list(locator.cameras.values())
    on_hand = [view for view, camera in enumerate(cameras) if camera.mount == 'flange']
    if not on_hand or grip > 0.5 or grounding.places is None or grounding.seen is None:
        return grounding
    place = grounding.places[0, 0]
    if float(place[2]) > LOW_M or float((tool.to(place) - place[:3]).norm()) > UNDER_M:
        return grounding
    found = locator.scorer.localise(grounding.seen[:, 0, on_hand[0]])
    if float(found.peak[0]) < locator.threshold + CERTAIN * PEAK_SCALE:
        return grounding
    flange = poses.position[:, -1], poses.rotation[:, -1]
    seen = cameras[on_hand[0]].on_plane(found.centroid, *flange, LIES_M)[0].to(place)
    if float((seen - place[:3])[:2].norm()) > AGREE_M:
        return grounding
    places = grounding.places.clone()
    places[0, 0, :2] = seen[:2]
    return replace(grounding, places=places)
