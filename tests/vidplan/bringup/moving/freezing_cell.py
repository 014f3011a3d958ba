# SPDX-License-Identifier: Apache-2.0
"""The simulated cell; a message on cell/freeze keeps a camera's picture, while stamps go on."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from std_msgs.msg import String

from vidplan_sim.ros import node


class FreezingCell(node.CellNode):
    """Sends of the views that it was told the picture that they showed first since then."""

    def __init__(self, **kwargs: Any) -> None:
        self._told: set[str] = set()
        self._kept: dict[str, np.ndarray] = {}
        super().__init__(**kwargs)
        self.create_subscription(String, 'cell/freeze', lambda word: self._told.add(word.data), 10)

    def _publish_picture(self, view: str, stamp_s: float, pixels: np.ndarray) -> None:
        if view in self._told:
            pixels = self._kept.setdefault(view, np.array(pixels))
        super()._publish_picture(view, stamp_s, pixels)


if __name__ == '__main__':
    node.CellNode = FreezingCell
    sys.exit(node.main())
