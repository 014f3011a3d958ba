# SPDX-License-Identifier: Apache-2.0
"""Parameters of the nodes beside the cameras: which views there are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from vidplan_core.geometry.camera_files import DEFAULT_LAYOUT, load_layout
from vidplan_core.geometry.camera_layout import CameraLayout
from vidplan_core.knobs import check_knobs, knob


@dataclass(frozen=True)
class CameraParameters:
    """Parameters that the stitcher, the recorder and the player share."""

    cameras: str = knob(
        DEFAULT_LAYOUT,
        'from which come the views, their order, size and topics: a file of config/cameras '
        '(cell, full), or the path of another',
        section='The cameras; the same for the stitcher, the recorder and the player.',
    )

    def __post_init__(self) -> None:
        check_knobs(self)
        _ = self.layout  # so that a bad file ends the start, and not the first message

    @cached_property
    def layout(self) -> CameraLayout:
        """The views; raises ConfigError when their file is missing or wrong."""
        return load_layout(self.cameras)
