# SPDX-License-Identifier: Apache-2.0
"""The everyday objects of the cell, built from primitives; lengths in metres, z from the table."""

from __future__ import annotations

import numpy as np

from vidplan_sim.objects.colours import BLACK, BROWN, LEAF, ORANGE, SILVER, WHITE
from vidplan_sim.objects.kind import ObjectKind
from vidplan_sim.objects.shapes import Part, ball, box, can, egg, rod, turned


def _carrot() -> ObjectKind:
    profile = ((0.0, -0.072), (0.005, -0.068), (0.011, -0.035), (0.017, 0.02), (0.020, 0.042),
               (0.017, 0.050), (0.0, 0.052))
    along, z = (1.0, 0.0, 0.0), 0.02
    leaves = tuple(
        rod((0.048, 0.0, z), (0.085, y, z + dz), 0.0045, LEAF)
        for y, dz in ((-0.016, 0.004), (0.0, 0.014), (0.016, 0.004), (0.0, -0.006)))
    touch = (rod((0.0, 0.0, 0.0165), (0.036, 0.0, 0.019), 0.0165, role='touch'),
             rod((-0.06, 0.0, 0.01), (0.0, 0.0, 0.0145), 0.0095, role='touch'))
    parts = (turned(profile, ORANGE, (0.0, 0.0, z - 0.002), along), *leaves, *touch)
    return ObjectKind('carrot', 'carrot', ('carrot', 'an orange carrot', 'a carrot with leaves'),
                      parts, 0.04, grasp_height_m=0.016, rolls=True)


def _fish() -> ObjectKind:
    teal, deep = (0.0, 0.62, 0.68), (0.0, 0.36, 0.48)
    parts = (
        egg((0.052, 0.018, 0.028), (0.0, 0.0, 0.033), teal),
        egg((0.046, 0.0165, 0.02), (0.003, 0.0, 0.022), WHITE),
        egg((0.022, 0.005, 0.010), (-0.062, 0.0, 0.046), deep, tilt=0.7),
        egg((0.022, 0.005, 0.010), (-0.062, 0.0, 0.022), deep, tilt=-0.7),
        egg((0.020, 0.004, 0.014), (-0.005, 0.0, 0.058), deep, tilt=0.3),
        *(ball(0.0065, (0.034, y, 0.040), WHITE) for y in (-0.012, 0.012)),
        *(ball(0.0045, (0.036, y, 0.041), BLACK) for y in (-0.0155, 0.0155)),
        box((0.028, 0.014, 0.004), (0.0, 0.0, 0.004), WHITE, 'both'),
        box((0.042, 0.0165, 0.019), (0.0, 0.0, 0.031), role='touch'),
    )
    return ObjectKind('fish', 'fish', ('fish', 'a blue fish', 'a toy fish'), parts, 0.068,
                      grasp_height_m=0.03)


def _pea() -> ObjectKind:
    parts = (ball(0.016, (0.0, 0.0, 0.016), (0.16, 0.68, 0.06), 'both'),)
    return ObjectKind('pea', 'pea', ('pea', 'a green pea', 'a small green ball'), parts, 0.032,
                      mass_kg=0.02, grasp_height_m=0.015, rolls=True, round=True)


def _measuring_tape() -> ObjectKind:
    yellow = (1.0, 0.8, 0.0)
    parts = (
        box((0.034, 0.018, 0.031), (0.0, 0.0, 0.031), (0.07, 0.07, 0.08), 'both'),
        can(0.024, 0.0192, (0.0, 0.0, 0.032), yellow, axis=(0.0, 1.0, 0.0)),
        can(0.011, 0.0197, (0.0, 0.0, 0.032), BLACK, axis=(0.0, 1.0, 0.0)),
        box((0.022, 0.0185, 0.003), (0.0, 0.0, 0.0602), yellow),
        box((0.016, 0.010, 0.0015), (0.048, 0.0, 0.006), yellow),
        box((0.002, 0.011, 0.005), (0.064, 0.0, 0.006), SILVER),
    )
    return ObjectKind('measuring tape', 'measuring tape',
                      ('measuring tape', 'a tape measure', 'a black and yellow measuring tape'),
                      parts, 0.062, mass_kg=0.15, grasp_height_m=0.03)


def _towel() -> ObjectKind:
    pinks = ((0.96, 0.50, 0.66), (0.88, 0.38, 0.56), (0.96, 0.50, 0.66))
    layers = tuple(box((0.044, 0.032, 0.0058), (0.0, 0.0, 0.006 + 0.012 * i), rgb)
                   for i, rgb in enumerate(pinks))
    folds = tuple(rod((x, -0.031, z), (x, 0.031, z), 0.006, pinks[0])
                  for x, z in ((-0.044, 0.03), (0.044, 0.018), (-0.044, 0.006)))
    stripes = tuple(box((0.003, 0.0324, 0.0184), (x, 0.0, 0.018), WHITE) for x in (0.018, 0.030))
    parts = (*layers, *folds, *stripes, box((0.048, 0.032, 0.018), (0.0, 0.0, 0.018),
                                            role='touch'))
    return ObjectKind('towel', 'towel', ('towel', 'a pink towel', 'a folded towel'), parts, 0.036,
                      grasp_height_m=0.018)


def _mug() -> ObjectKind:
    stripe = (0.75, 0.05, 0.5)
    low = turned(((0.0, 0.0), (0.030, 0.0), (0.032, 0.004), (0.032, 0.026)), WHITE)
    band = turned(((0.0321, 0.026), (0.0321, 0.056)), stripe)
    top = turned(((0.032, 0.056), (0.032, 0.08), (0.028, 0.08), (0.028, 0.008), (0.0, 0.008)),
                 WHITE)
    hold = ((0.030, 0.066), (0.050, 0.062), (0.055, 0.042), (0.048, 0.022), (0.030, 0.018))
    handle = tuple(rod((a[0], 0.0, a[1]), (b[0], 0.0, b[1]), 0.0055, stripe, 'look')
                   for a, b in zip(hold, hold[1:]))
    parts = (low, band, top, *handle, *_round_body(0.032, 0.0, 0.08),
             box((0.012, 0.005, 0.026), (0.044, 0.0, 0.042), role='touch'))
    return ObjectKind('mug', 'mug', ('mug', 'a white and purple mug', 'a cup with a handle'),
                      parts, 0.08, mass_kg=0.15, grasp_height_m=0.05)


def _lobster() -> ObjectKind:
    red, dark = (0.85, 0.06, 0.03), (0.6, 0.02, 0.02)
    tail = tuple(egg((0.012, 0.017 - 0.0018 * i, 0.013 - 0.0012 * i),
                     (0.004 - 0.014 * i, 0.0, 0.014), dark if i % 2 else red) for i in range(4))
    claws: list[Part] = []
    for side in (-1.0, 1.0):
        claws += [
            rod((0.030, side * 0.014, 0.014), (0.050, side * 0.036, 0.012), 0.005, dark),
            egg((0.020, 0.012, 0.010), (0.064, side * 0.037, 0.013), red),
            egg((0.014, 0.005, 0.006), (0.076, side * 0.026, 0.013), red),
            box((0.020, 0.011, 0.008), (0.066, side * 0.035, 0.010), role='touch'),
            rod((0.034, side * 0.006, 0.026), (0.070, side * 0.012, 0.044), 0.0022, dark),
            ball(0.0035, (0.046, side * 0.008, 0.026), BLACK),
        ]
        claws += [rod((x, side * 0.012, 0.014), (x - 0.004, side * 0.034, 0.004), 0.003, dark)
                  for x in (-0.002, 0.012, 0.026)]
    fan = tuple(egg((0.014, 0.008, 0.004), (-0.058, y, 0.010), red) for y in (-0.011, 0.0, 0.011))
    parts = (egg((0.030, 0.018, 0.017), (0.024, 0.0, 0.018), red), *tail, *claws, *fan,
             box((0.050, 0.0155, 0.013), (-0.004, 0.0, 0.014), role='touch'))
    return ObjectKind('lobster', 'lobster', ('lobster', 'a red lobster', 'a toy lobster'), parts,
                      0.034, grasp_height_m=0.016)


def _penguin() -> ObjectKind:
    beak = (1.0, 0.6, 0.0)
    parts = (
        egg((0.028, 0.030, 0.044), (0.0, 0.0, 0.046), BLACK),
        egg((0.022, 0.024, 0.036), (0.009, 0.0, 0.043), WHITE),
        ball(0.022, (0.0, 0.0, 0.094), BLACK),
        egg((0.012, 0.017, 0.013), (0.011, 0.0, 0.092), WHITE),
        egg((0.013, 0.006, 0.005), (0.026, 0.0, 0.092), beak),
        *(ball(0.004, (0.0185, y, 0.100), BLACK) for y in (-0.009, 0.009)),
        *(egg((0.012, 0.004, 0.028), (-0.002, y, 0.050), BLACK) for y in (-0.031, 0.031)),
        *(box((0.016, 0.010, 0.004), (0.014, y, 0.004), beak) for y in (-0.013, 0.013)),
        box((0.026, 0.026, 0.004), (0.002, 0.0, 0.004), role='touch'),
        *_round_body(0.027, 0.008, 0.088),
        ball(0.022, (0.0, 0.0, 0.094), BLACK, 'touch'),
    )
    return ObjectKind('penguin', 'penguin', ('penguin', 'a black and white penguin',
                                             'a toy penguin'), parts, 0.116, mass_kg=0.1,
                      grasp_height_m=0.079)


def _banana() -> ObjectKind:
    yellow, bend = (1.0, 0.80, 0.04), 0.075
    angles = np.linspace(-0.95, 0.95, 7)
    points = [(bend * np.sin(a), bend * (np.cos(a) - 0.85), 0.0165) for a in angles]
    radii = (0.011, 0.015, 0.0165, 0.0165, 0.015, 0.011)
    body = tuple(rod(a, b, r, yellow, 'both') for a, b, r in zip(points, points[1:], radii))
    tips = (ball(0.009, points[0], BROWN), rod(points[-1], (0.074, 0.0, 0.0165), 0.006, BROWN))
    return ObjectKind('banana', 'banana', ('banana', 'a yellow banana', 'a ripe banana'),
                      (*body, *tips), 0.033, grasp_height_m=0.016)


def _apple() -> ObjectKind:
    green = (0.56, 0.80, 0.10)
    parts = (
        egg((0.034, 0.034, 0.031), (0.0, 0.0, 0.031), green, 'both'),
        rod((0.0, 0.0, 0.058), (0.004, 0.0, 0.074), 0.0025, BROWN),
        egg((0.013, 0.007, 0.002), (0.014, 0.0, 0.070), LEAF, tilt=-0.4),
    )
    return ObjectKind('apple', 'apple', ('apple', 'a green apple', 'a round apple'), parts, 0.062,
                      mass_kg=0.12, grasp_height_m=0.03, rolls=True, round=True)


def _soup_can() -> ObjectKind:
    parts = (
        can(0.033, 0.045, (0.0, 0.0, 0.045), SILVER),
        *_round_body(0.033, 0.0, 0.09),
        can(0.0334, 0.020, (0.0, 0.0, 0.064), (0.82, 0.05, 0.05)),
        can(0.0334, 0.020, (0.0, 0.0, 0.024), WHITE),
        can(0.0338, 0.006, (0.0, 0.0, 0.044), (0.85, 0.65, 0.15)),
    )
    return ObjectKind('soup can', 'soup can', ('soup can', 'a red and white soup can',
                                               'a can of soup'), parts, 0.09, mass_kg=0.2,
                      grasp_height_m=0.062, round=True)


def _lemon() -> ObjectKind:
    yellow = (0.98, 0.93, 0.25)
    nubs = tuple(egg((0.014, 0.010, 0.010), (x, 0.0, 0.027), yellow) for x in (-0.036, 0.036))
    parts = (egg((0.038, 0.027, 0.027), (0.0, 0.0, 0.027), yellow, 'both'), *nubs)
    return ObjectKind('lemon', 'lemon', ('lemon', 'a yellow lemon', 'a sour lemon'), parts, 0.054,
                      grasp_height_m=0.025, rolls=True)


def _eggplant() -> ObjectKind:
    purple = (0.28, 0.05, 0.42)
    parts = (
        egg((0.046, 0.028, 0.028), (-0.018, 0.0, 0.028), purple, 'both'),
        egg((0.036, 0.020, 0.020), (0.028, 0.0, 0.026), purple),
        egg((0.014, 0.019, 0.019), (0.058, 0.0, 0.026), LEAF),
        rod((0.062, 0.0, 0.026), (0.082, 0.0, 0.032), 0.005, LEAF),
        rod((0.01, 0.0, 0.023), (0.056, 0.0, 0.020), 0.018, role='touch'),
    )
    return ObjectKind('eggplant', 'eggplant', ('eggplant', 'a purple eggplant', 'an aubergine'),
                      parts, 0.056, mass_kg=0.1, grasp_height_m=0.024, rolls=True)


def _puzzle_cube() -> ObjectKind:
    half, reach = 0.027, 0.0275
    sides = (((1, 0, 0), (0.9, 0.1, 0.05)), ((-1, 0, 0), (1.0, 0.5, 0.0)),
             ((0, 1, 0), (0.05, 0.2, 0.8)), ((0, -1, 0), (0.05, 0.6, 0.15)),
             ((0, 0, 1), (0.98, 0.95, 0.9)))
    tiles: list[Part] = []
    for normal, rgb in sides:
        axis = int(np.argmax(np.abs(normal)))
        for u in (-0.0133, 0.0133):
            for v in (-0.0133, 0.0133):
                at = np.insert(np.array([u, v]), axis, normal[axis] * reach)
                size = np.insert(np.full(2, 0.0115), axis, 0.0006)
                tiles.append(box(tuple(size.tolist()),
                                 (float(at[0]), float(at[1]), float(at[2]) + half), rgb))
    parts = (box((half, half, half), (0.0, 0.0, half), BLACK, 'both'), *tiles)
    return ObjectKind('puzzle cube', 'puzzle cube', ('puzzle cube', 'a colourful puzzle cube',
                                                     'a cube with coloured tiles'), parts, 0.054,
                      grasp_height_m=0.028)


def _bowl() -> ObjectKind:
    blue = (0.08, 0.22, 0.72)
    inner = (0.12, 0.32, 0.88)
    outside = turned(((0.0, 0.0), (0.042, 0.0), (0.060, 0.014), (0.074, 0.034), (0.082, 0.056),
                      (0.078, 0.057)), blue, sides=32)
    inside = turned(((0.078, 0.057), (0.070, 0.035), (0.056, 0.017), (0.040, 0.006), (0.0, 0.005)),
                    inner, sides=32)
    walls: list[Part] = [can(0.045, 0.0025, (0.0, 0.0, 0.0025), role='touch')]
    for k in range(16):
        yaw = 2 * np.pi * k / 16
        for radius, z, lean, half_height in ((0.055, 0.013, 0.9, 0.014), (0.0735, 0.040, 0.4,
                                                                         0.019)):
            walls.append(_wall(radius, z, yaw, lean, half_height))
    return ObjectKind('bowl', 'bowl', ('bowl', 'a blue bowl', 'an empty bowl'),
                      (outside, inside, *walls), 0.057, mass_kg=0.6)


def _round_body(radius: float, low: float, high: float) -> tuple[Part, ...]:
    """Contact geoms of an upright cylinder.

    Flat fingers hold a flat face; a bare cylinder touches them in a line and slides out.
    """
    half, z = (high - low) / 2, (high + low) / 2
    return (box((0.4 * radius, radius, half), (0.0, 0.0, z), role='touch'),
            can(radius - 0.0005, half - 0.001, (0.0, 0.0, z), role='touch'))


def _wall(radius: float, z: float, yaw: float, lean: float, half_height: float) -> Part:
    """One flat piece of the bowl's wall, leaning outwards by `lean` rad."""
    turn = np.array([np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)])
    c, s = np.cos(lean / 2), np.sin(lean / 2)
    quat = (float(turn[0] * c), float(-turn[3] * s), float(turn[0] * s), float(turn[3] * c))
    half_width = float(np.pi * (radius + 0.008) / 16)
    return Part('box', (0.003, half_width, half_height),
                (float(radius * np.cos(yaw)), float(radius * np.sin(yaw)), z), role='touch',
                quat=quat)


KINDS: tuple[ObjectKind, ...] = (
    _carrot(), _fish(), _pea(), _measuring_tape(), _towel(), _mug(), _lobster(), _penguin(),
    _banana(), _apple(), _soup_can(), _lemon(), _eggplant(), _puzzle_cube(),
)
BOWL: ObjectKind = _bowl()
KIND_NAMES: tuple[str, ...] = tuple(kind.name for kind in KINDS)
