# SPDX-License-Identifier: Apache-2.0
"""Objects and lights that no training scene has: for measuring whether models detect what is new.

A cell holds them only when it is made for them; everything else about it stays the same.
"""

from __future__ import annotations

import numpy as np

from vidplan_sim.objects.colours import BLACK, ORANGE, SILVER, WHITE
from vidplan_sim.objects.kind import ObjectKind
from vidplan_sim.objects.shapes import Part, ball, box, can, egg, rod, turned

# Main lights far weaker or far stronger than any of training (0.4 to 0.65), and flat ones.
DIM, GLARING = (0.05, 0.2), (0.95, 1.2)
DARK, BRIGHT = (0.08, 0.2), (0.6, 0.75)  # surrounding light; training has 0.32 to 0.48
FLAT = 1.4  # sideways over downwards; training stays below 0.6


def _duck() -> ObjectKind:
    yellow = (1.0, 0.95, 0.0)
    parts = (
        egg((0.036, 0.026, 0.024), (-0.006, 0.0, 0.024), yellow, 'both'),
        ball(0.019, (0.022, 0.0, 0.056), yellow),
        egg((0.012, 0.010, 0.004), (0.042, 0.0, 0.053), (1.0, 0.3, 0.0)),
        egg((0.014, 0.010, 0.012), (-0.044, 0.0, 0.036), yellow, tilt=0.6),
        *(ball(0.0045, (0.036, y, 0.063), BLACK) for y in (-0.010, 0.010)),
        box((0.024, 0.016, 0.004), (-0.006, 0.0, 0.004), role='touch'),
    )
    return ObjectKind('rubber duck', 'rubber duck', ('rubber duck',), parts, 0.075)


def _car() -> ObjectKind:
    paint = (0.0, 0.1, 0.95)
    wheels = tuple(
        can(0.012, 0.005, (x, y, 0.012), BLACK, axis=(0.0, 1.0, 0.0))
        for x in (-0.026, 0.028) for y in (-0.021, 0.021)
    )
    parts = (
        box((0.046, 0.020, 0.011), (0.0, 0.0, 0.021), paint, 'both'),
        box((0.022, 0.017, 0.010), (-0.006, 0.0, 0.042), (0.65, 0.85, 1.0)),
        box((0.020, 0.018, 0.002), (-0.006, 0.0, 0.053), paint),
        box((0.030, 0.018, 0.005), (0.0, 0.0, 0.005), role='touch'),
        *wheels,
    )
    return ObjectKind('toy car', 'toy car', ('toy car',), parts, 0.055)


def _screwdriver() -> ObjectKind:
    parts = (
        rod((-0.075, 0.0, 0.014), (-0.015, 0.0, 0.014), 0.014, (0.9, 0.0, 0.35), 'both'),
        rod((-0.012, 0.0, 0.014), (0.075, 0.0, 0.010), 0.004, SILVER, 'both'),
        can(0.0145, 0.004, (-0.035, 0.0, 0.014), BLACK, axis=(1.0, 0.0, 0.0)),
    )
    return ObjectKind('screwdriver', 'screwdriver', ('screwdriver',), parts, 0.028, rolls=True,
                      grasp_height_m=0.014)


def _cone() -> ObjectKind:
    bands = ((0.028, 0.006, 0.022, 0.028, ORANGE), (0.022, 0.028, 0.015, 0.054, WHITE),
             (0.015, 0.054, 0.005, 0.088, ORANGE))
    sides = tuple(turned(((low, z0), (high, z1)), rgb) for low, z0, high, z1, rgb in bands)
    parts = (
        *sides,
        box((0.034, 0.034, 0.003), (0.0, 0.0, 0.003), ORANGE, 'both'),
        can(0.018, 0.030, (0.0, 0.0, 0.036), role='touch'),
        can(0.008, 0.012, (0.0, 0.0, 0.076), role='touch'),
    )
    return ObjectKind('traffic cone', 'traffic cone', ('traffic cone',), parts, 0.09,
                      grasp_height_m=0.06)


def _gift() -> ObjectKind:
    paper, ribbon = (0.45, 0.0, 0.65), (0.2, 0.95, 0.9)
    parts = (
        box((0.032, 0.026, 0.022), (0.0, 0.0, 0.022), paper, 'both'),
        box((0.005, 0.0265, 0.0225), (0.0, 0.0, 0.022), ribbon),
        box((0.0325, 0.005, 0.0225), (0.0, 0.0, 0.022), ribbon),
        *(egg((0.012, 0.007, 0.006), (x, 0.0, 0.050), ribbon) for x in (-0.011, 0.011)),
    )
    return ObjectKind('gift', 'gift', ('gift',), parts, 0.056)


def _chessboard() -> ObjectKind:
    squares: list[Part] = [
        box((0.0095, 0.0095, 0.001), (0.019 * i - 0.0285, 0.019 * j - 0.0285, 0.0205),
            WHITE if (i + j) % 2 else (0.1, 0.35, 0.1))
        for i in range(4) for j in range(4)
    ]
    parts = (box((0.039, 0.039, 0.010), (0.0, 0.0, 0.010), (0.25, 0.1, 0.05), 'both'), *squares)
    return ObjectKind('chessboard', 'chessboard', ('chessboard',), parts, 0.0215)


UNSEEN_KINDS: tuple[ObjectKind, ...] = (
    _duck(), _car(), _screwdriver(), _cone(), _gift(), _chessboard(),
)
UNSEEN_NAMES: tuple[str, ...] = tuple(kind.name for kind in UNSEEN_KINDS)


def unseen_light(rng: np.random.Generator) -> tuple[tuple[float, float, float], float, float]:
    """Direction, strength and surrounding light outside what training scenes vary between."""
    angle = rng.uniform(-np.pi, np.pi)
    flat = FLAT * rng.uniform(0.8, 1.3)
    direction = np.array([flat * np.cos(angle), flat * np.sin(angle), -1.0])
    x, y, z = (float(v) for v in direction / np.linalg.norm(direction))
    strengths, ambients = (DIM, DARK) if rng.random() < 0.5 else (GLARING, BRIGHT)
    return (x, y, z), float(rng.uniform(*strengths)), float(rng.uniform(*ambients))
