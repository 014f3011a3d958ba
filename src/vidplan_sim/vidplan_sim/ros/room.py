# SPDX-License-Identifier: Apache-2.0
"""Room for pictures in the shared memory of Fast DDS."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

_SIZE = '<segment_size>8388608</segment_size>'


def make_room_for_images(mebibytes: int = 8) -> None:
    """Let Fast DDS keep a few pictures in shared memory, unless its settings are given already.

    For a process that publishes them; call it before rclpy.init. The default holds few, drops
    what comes while it is full, and does not get back what a reader held that was killed.

    Args:
        mebibytes: of shared memory; the shipped file's are enough for pictures as models see them.
    """
    profile = Path(__file__).parents[1] / 'assets' / 'fastdds.xml'
    if mebibytes != 8:
        size = f'<segment_size>{mebibytes << 20}</segment_size>'
        text = profile.read_text(encoding='utf-8').replace(_SIZE, size)
        profile = Path(tempfile.gettempdir()) / f'vidplan-fastdds-{os.getuid()}-{mebibytes}.xml'
        profile.write_text(text, encoding='utf-8')
    if 'FASTDDS_DEFAULT_PROFILES_FILE' not in os.environ:
        os.environ.setdefault('FASTRTPS_DEFAULT_PROFILES_FILE', str(profile))
