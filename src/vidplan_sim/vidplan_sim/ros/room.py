# SPDX-License-Identifier: Apache-2.0
"""Room for pictures in the shared memory of Fast DDS."""

from __future__ import annotations

import os
from pathlib import Path


def make_room_for_images() -> None:
    """Let Fast DDS keep a few pictures in shared memory, unless its settings are given already.

    For a process that publishes them; call it before rclpy.init. The default holds few, drops
    what comes while it is full, and does not get back what a reader held that was killed.
    """
    profile = Path(__file__).parents[1] / 'assets' / 'fastdds.xml'
    if 'FASTDDS_DEFAULT_PROFILES_FILE' not in os.environ:
        os.environ.setdefault('FASTRTPS_DEFAULT_PROFILES_FILE', str(profile))
