# SPDX-License-Identifier: Apache-2.0
"""When a recorded frame fulfils an instruction, by what the simulator knows of all objects."""

from __future__ import annotations

import numpy as np

from vidplan_core.heads.grounding import VERBS
from vidplan_core.language.instruction import PICK, PLACE, REACH

REACHED_M = 0.03  # horizontally from the tool to the object's centre
OVER_M = (-0.03, 0.12)  # the tool's height over the object's centre
LIFTED_M = 0.04  # above where it lay
HELD_M = 0.07  # from the tool
IN_BOWL_M, IN_BOWL_HEIGHT_M = 0.075, 0.11  # as the simulator's expert judges
BOWL = 'bowl'


def successes(tool: np.ndarray, objects: np.ndarray, kinds: list[str]) -> np.ndarray:
    """Which frames fulfil which instruction, bool (episodes, frames, verbs, kinds).

    Args:
        tool: tool centre points (episodes, frames, 3), m.
        objects: centres (episodes, frames, kinds, 3), m; NaN for what is not in the scene.
        kinds: their names; verbs are in the order of `VERBS`.
    """
    gap = tool[:, :, None] - objects
    with np.errstate(invalid='ignore'):
        beside = np.hypot(gap[..., 0], gap[..., 1])
        reached = (beside < REACHED_M) & (gap[..., 2] > OVER_M[0]) & (gap[..., 2] < OVER_M[1])
        lying = np.fmin.reduce(objects[..., 2], axis=1)[:, None]
        held = np.linalg.norm(gap, axis=-1) < HELD_M
        lifted = (objects[..., 2] > lying + LIFTED_M) & held
        bowl = objects[:, :, kinds.index(BOWL), None]
        apart = np.hypot(*np.moveaxis((objects - bowl)[..., :2], -1, 0))
        inside = (apart < IN_BOWL_M) & (objects[..., 2] < IN_BOWL_HEIGHT_M)
    for impossible in (lifted, inside):
        impossible[..., kinds.index(BOWL)] = False
    named = {REACH: reached, PICK: lifted, PLACE: inside}
    return np.stack([named[verb] for verb in VERBS], axis=2)


def returns(success: np.ndarray, gamma: float) -> np.ndarray:
    """Value gamma^(F - t) of every frame (frames, ...), F the next successful frame, else 0."""
    values = np.zeros(success.shape)
    following = np.zeros(success.shape[1:])
    for frame in range(len(success) - 1, -1, -1):
        following = np.where(success[frame], 1.0, gamma * following)
        values[frame] = following
    return values
