# SPDX-License-Identifier: Apache-2.0
"""Scenes in which a towel lies spread out on the table, with other things beside it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vidplan_sim.objects import cloth
from vidplan_sim.scene import MAX_OBJECTS, ObjectPlacement, Scene, TowelPlacement, random_scene

MOST_DISTRACTORS = MAX_OBJECTS - 1
TOWEL_AREA_M = ((0.46, 0.56), (-0.10, 0.10))  # x and y of the towel's centre
BESIDE_AREA_M = ((0.32, 0.68), (-0.34, 0.34))  # x and y of the other things' centres
GAP_M = 0.07  # from the towel's edge to an object's centre
BOWL_GAP_M = 0.11
APART_M = 0.095  # between the centres of other things
BOWL_APART_M = 0.14
TRIES = 400


def towel_scene(seed: int, distractors: int = 0) -> Scene:
    """A scene with a towel anywhere on the table at any turn, and 0 to 5 other objects.

    A seed gives the same towel, bowl, arm, light and cameras for any number of distractors; one
    more is added to those before.

    Raises:
        ValueError: the number of distractors is outside 0 to 5, or the seed is negative.
    """
    if not 0 <= distractors <= MOST_DISTRACTORS:
        raise ValueError(f'distractors must be 0 to {MOST_DISTRACTORS}, got {distractors}')
    scene = random_scene(seed, count=MAX_OBJECTS)
    rng = np.random.default_rng([seed, 5])
    while True:
        towel = _towel(rng)
        placed = _beside(rng, towel, scene)
        if placed is not None:
            break
    bowl, *others = placed
    return replace(scene, towel=towel, bowl=bowl, objects=tuple(others[:distractors]))


def cell_scene(seed: int, objects: int = 0, *, towel: bool = False) -> Scene:
    """The scene that a cell is asked for: `random_scene`, or `towel_scene` where it has a towel.

    Args:
        seed: of the scene.
        objects: beside the bowl; 0 lets the seed decide.
        towel: whether a towel of cloth lies there.

    Raises:
        ValueError: an impossible number of objects, or a negative seed.
    """
    if not towel:
        return random_scene(seed, objects or None)
    number = objects or min(len(random_scene(seed).objects), MOST_DISTRACTORS)
    return towel_scene(seed, number)


def _towel(rng: np.random.Generator) -> TowelPlacement:
    x, y = (float(rng.uniform(*bounds)) for bounds in TOWEL_AREA_M)
    return TowelPlacement(x, y, float(rng.uniform(-np.pi, np.pi)), float(rng.uniform(-0.02, 0.02)))


def _beside(
    rng: np.random.Generator, towel: TowelPlacement, scene: Scene
) -> list[ObjectPlacement] | None:
    """The scene's bowl and its objects moved beside the towel; None where they found no room."""
    things = [scene.bowl, *(p for p in scene.objects if p.kind != cloth.NAME)][:MAX_OBJECTS]
    spots: list[np.ndarray] = []
    for _ in range(TRIES):
        spot = np.array([rng.uniform(*bounds) for bounds in BESIDE_AREA_M])
        first = not spots
        if beyond_edge(towel, spot) < (BOWL_GAP_M if first else GAP_M):
            continue
        apart = [np.linalg.norm(spot - other) for other in spots]
        if all(d >= (APART_M if i else BOWL_APART_M) for i, d in enumerate(apart)):
            spots.append(spot)
        if len(spots) == len(things):
            return [replace(thing, x=float(x), y=float(y))
                    for thing, (x, y) in zip(things, spots, strict=True)]
    return None


def beyond_edge(towel: TowelPlacement, spot: np.ndarray) -> float:
    """How far (m) a spot (2,) lies outside the towel's square, negative inside."""
    c, s = np.cos(towel.yaw), np.sin(towel.yaw)
    gap = spot - [towel.x, towel.y]
    outside = np.abs([c * gap[0] + s * gap[1], c * gap[1] - s * gap[0]]) - cloth.SIDE_M / 2
    return float(np.linalg.norm(np.maximum(outside, 0.0)) + min(outside.max(), 0.0))
