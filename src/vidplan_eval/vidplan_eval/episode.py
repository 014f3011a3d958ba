# SPDX-License-Identifier: Apache-2.0
"""What is asked in an episode, and what counts as having done it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vidplan_sim.expert.ending import NEAR_M
from vidplan_sim.objects.everyday import KINDS
from vidplan_sim.scene import Scene, random_scene

# Seeds from here on are for evaluation only: nothing is trained or tuned on them.
FIRST_EVALUATION_SEED = 1_000_000
OBJECTS = 4

ABOVE_M = 0.15


@dataclass(frozen=True)
class SuiteEpisode:
    """One scene and the object that is named in it.

    Attributes:
        seed: of the scene and of the choice of the object.
        scene: what the cell is set up with.
        kind: the named object, a key of the ground truth.
        instruction: that the planner is given.
    """

    seed: int
    scene: Scene
    kind: str
    instruction: str


@dataclass(frozen=True)
class Judgement:
    """Where the tool is, by ground truth.

    Attributes:
        success: all conditions hold.
        horizontal_m: from the tool to the named object's centre, horizontally.
        above_m: height of the tool over that centre.
        nearest: the object that the tool is horizontally nearest to.
        reason: the first condition that does not hold, '' for a success.
    """

    success: bool
    horizontal_m: float
    above_m: float
    nearest: str
    reason: str


def make_episode(seed: int, objects: int = OBJECTS) -> SuiteEpisode:
    """Return the episode of a seed: a random scene and one of its objects, named."""
    scene = random_scene(seed, count=objects)
    # A stream of its own, so that the choice does not follow from the scene's first numbers.
    choice = np.random.default_rng([seed, 1]).integers(len(scene.objects))
    kind = scene.objects[int(choice)].kind
    noun = next(known.noun for known in KINDS if known.name == kind)
    return SuiteEpisode(seed, scene, kind, f'move to the {noun}')


def check_reached(
    tool: np.ndarray, truth: Mapping[str, np.ndarray], kind: str, *, at_rest: bool
) -> Judgement:
    """Judge a tool position (3,) against the true centres of all objects, bowl included.

    Success: at rest, within 5 cm of the named object's centre horizontally, less than 15 cm
    above it, and nearer to it than to any other object.
    """
    apart = {name: float(np.linalg.norm(tool[:2] - place[:2])) for name, place in truth.items()}
    nearest = min(apart, key=lambda name: apart[name])
    above_m = float(tool[2] - truth[kind][2])
    if not at_rest:
        reason = 'not at rest'
    elif nearest != kind:
        reason = f'nearer to the {nearest}'
    elif apart[kind] > NEAR_M:
        reason = f'{apart[kind] * 100:.1f} cm away'
    elif above_m >= ABOVE_M:
        reason = f'{above_m * 100:.1f} cm above'
    else:
        reason = ''
    return Judgement(not reason, apart[kind], above_m, nearest, reason)
