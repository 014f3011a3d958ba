# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a recorded episode."""

from __future__ import annotations

from pathlib import Path

from vidplan_core.errors import VidPlanError

MISSING_FILE = 'missing file'
UNREADABLE = 'unreadable file'
TRUNCATED_VIDEO = 'truncated video'
MISSING_COLUMN = 'missing column'
NOT_FINITE = 'values that are not finite'
TOO_SHORT = 'too short'
UNEQUAL_LENGTHS = 'unequal lengths'
WRONG_SHAPE = 'wrong shape'
JUMP = 'impossible motion'
WRONG_UNIT = 'values in another unit'
NO_PICTURES = 'no pictures'
NO_LATENTS = 'no latents'


class EpisodeError(VidPlanError):
    """An episode that cannot be used; it can be skipped and counted by its `reason`.

    Attributes:
        episode: its name in the source.
        reason: one of the constants of this module.
        file: where the fault is.
    """

    code = 'INVALID_EPISODE'

    def __init__(self, episode: str, reason: str, file: Path, detail: str) -> None:
        super().__init__(f'episode {episode}: {reason}: {file}: {detail}')
        self.episode, self.reason, self.file = episode, reason, file
