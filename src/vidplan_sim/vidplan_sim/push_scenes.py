# SPDX-License-Identifier: Apache-2.0
"""Scenes with a thing that is to be pushed, and the other things clear of its way."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vidplan_sim.scene import MAX_OBJECTS, ObjectPlacement, Scene, random_scene

MOST_DISTRACTORS = MAX_OBJECTS - 1
# Where things may be pushed, in the base frame: as the robot sees it, looking along x.
HEADINGS = {'left': (0.0, 1.0), 'right': (0.0, -1.0), 'away': (1.0, 0.0), 'closer': (-1.0, 0.0)}
TARGET_AREA_M = ((0.45, 0.60), (-0.14, 0.14))  # x and y of where it starts, and of where it ends
BESIDE_AREA_M = ((0.34, 0.67), (-0.27, 0.27))  # of the other things
WAY_M = (-0.14, 0.17)  # along the way from where it starts: of the hand that pushes, and of it
CLEAR_M, BOWL_CLEAR_M = 0.105, 0.135  # from there to the centre of another thing
APART_M, BOWL_APART_M = 0.095, 0.14
PUSHED_M = 0.10
# The hand is wider than its fingers, which are 6 cm long: it tips over what is taller.
TIPPED = ('measuring tape', 'mug', 'penguin', 'soup can')
TRIES = 400


@dataclass(frozen=True)
class PushScene:
    """A scene and the way, a key of `HEADINGS`, in which its first object is to be pushed."""

    scene: Scene
    way: str


def push_scene(seed: int, distractors: int = 0) -> PushScene:
    """A scene whose first object can be pushed and has room for it, and 0 to 5 other objects.

    A seed gives the same target, way, bowl, arm, light and cameras for any number of distractors;
    one more is added to those before.

    Raises:
        ValueError: the number of distractors is outside 0 to 5, or the seed is negative.
    """
    if not 0 <= distractors <= MOST_DISTRACTORS:
        raise ValueError(f'distractors must be 0 to {MOST_DISTRACTORS}, got {distractors}')
    scene = random_scene(seed, count=MAX_OBJECTS)
    objects = sorted(scene.objects, key=lambda placed: placed.kind in TIPPED)
    scene = replace(scene, objects=tuple(objects))
    rng = np.random.default_rng([seed, 6])
    way = list(HEADINGS)[int(rng.integers(len(HEADINGS)))]
    while True:
        start = np.array([rng.uniform(*bounds) for bounds in TARGET_AREA_M])
        placed = _placed(rng, start, np.array(HEADINGS[way]), scene)
        if placed is not None:
            break
    bowl, *objects = placed
    return PushScene(replace(scene, bowl=bowl, objects=tuple(objects[: 1 + distractors])), way)


def _placed(
    rng: np.random.Generator, start: np.ndarray, heading: np.ndarray, scene: Scene
) -> list[ObjectPlacement] | None:
    """The scene's bowl and objects, the target first of these; None where they have no room."""
    low, high = np.array(TARGET_AREA_M).T
    end = start + PUSHED_M * heading
    if not ((low <= end) & (end <= high)).all():
        return None
    others = [scene.bowl, *scene.objects[1:]]
    spots: list[np.ndarray] = []
    for _ in range(TRIES):
        spot = np.array([rng.uniform(*bounds) for bounds in BESIDE_AREA_M])
        if _from_way(spot, start, heading) < (CLEAR_M if spots else BOWL_CLEAR_M):
            continue
        apart = [float(np.linalg.norm(spot - other)) for other in spots]
        if all(d >= (APART_M if i else BOWL_APART_M) for i, d in enumerate(apart)):
            spots.append(spot)
        if len(spots) == len(others):
            bowl, *rest = (_moved(thing, spot) for thing, spot in zip(others, spots, strict=True))
            return [bowl, _moved(scene.objects[0], start), *rest]
    return None


def _moved(thing: ObjectPlacement, spot: np.ndarray) -> ObjectPlacement:
    return replace(thing, x=float(spot[0]), y=float(spot[1]))


def _from_way(spot: np.ndarray, start: np.ndarray, heading: np.ndarray) -> float:
    """How far, m, a spot (2,) is from the line that the hand and the thing go along."""
    along = float(np.clip((spot - start) @ heading, *WAY_M))
    return float(np.linalg.norm(spot - start - along * heading))
