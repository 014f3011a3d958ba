# SPDX-License-Identifier: Apache-2.0
"""Parameters of the node `stitcher`."""

from __future__ import annotations

from dataclasses import dataclass

from vidplan.parameters.cameras import CameraParameters
from vidplan.parameters.robot import RobotParameters
from vidplan_core.data.plausibility import PlausibilityConfig
from vidplan_core.knobs import knob, knob_group


@dataclass(frozen=True)
class StitcherParameters(RobotParameters, CameraParameters):
    """What is stitched, and what counts as one moment in time."""

    min_contrast: float = knob(
        4.0,
        'standard deviation below which a picture shows nothing, as with a covered lens; 0 takes '
        'every picture',
        unit='of 255 levels',
        low=0.0,
        high=64.0,
        section='Pictures.',
    )
    check_views: bool = knob(
        False,
        'refuse pictures that are noise, frozen while the arm moves, or change as a whole (a '
        'camera moved or swapped); what is seen anew is believed after stitcher/accept_views',
    )
    moving_views: str = knob(
        'wrist', 'views whose camera the arm carries, with commas between them'
    )
    plausibility: PlausibilityConfig = knob_group(PlausibilityConfig, prefix='')
    publish_rate_hz: float = knob(
        15.0, 'largest rate of observations', unit='Hz', low=0.5, high=120.0, section='Time.'
    )
    max_skew_s: float = knob(
        0.07, 'between the stamps of the cameras', unit='s', low=0.0, high=1.0
    )
    max_age_s: float = knob(
        0.5, 'above which an image or gripper state is stale', unit='s', low=0.01, high=10.0
    )
    max_joint_gap_s: float = knob(
        0.05, 'from the images to the nearest joint state', unit='s', low=0.001, high=1.0
    )

    def __post_init__(self) -> None:
        RobotParameters.__post_init__(self)
        CameraParameters.__post_init__(self)
