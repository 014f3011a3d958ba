# SPDX-License-Identifier: Apache-2.0
"""Attempts, sound and flawed: what is done wrong, by how much, and how often."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidplan_training.collect.contact.approach import aside

# What may be wrong with an attempt, and how often each is drawn.
SHARES: dict[str, float] = {
    'none': 0.16,
    'noised': 0.10,
    'offset': 0.45,  # beside the target
    'turned': 0.05,
    'wrong': 0.04,  # another object than the task's
    'early': 0.05,  # closed before it is down
    'late': 0.03,
    'slip': 0.03,  # loosened while lifting
    'beside': 0.03,  # dropped beside the bowl
    'push': 0.02,
    'stall': 0.02,
    'hover': 0.02,
}
FLAWS = tuple(SHARES)
FARTHEST_M = 0.05


@dataclass(frozen=True)
class Attempt:
    """One try at a task.

    flaw: one of `FLAWS`.
    aim: kind that the hand goes for, the target or, for 'wrong', another.
    offset: (3,) m from where it should close; early closings are above it.
    turn_rad: away from how it should close.
    noise_m: of every displacement.
    wait: decisions without a motion ('late': before closing; 'stall': somewhere).
    after: 'place', 'drop' or 'put down': what follows when it holds.
    """

    flaw: str
    aim: str
    offset: np.ndarray
    turn_rad: float = 0.0
    noise_m: float = 0.0
    wait: int = 0
    after: str = 'place'


def draw_attempt(rng: np.random.Generator, target: str, movable: list[str]) -> Attempt:
    """A random attempt at a target among the movable kinds of a scene."""
    flaw = FLAWS[rng.choice(len(FLAWS), p=np.array([*SHARES.values()]) / sum(SHARES.values()))]
    others = [kind for kind in movable if kind != target]
    if flaw == 'wrong' and not others:
        flaw = 'offset'
    aim = others[rng.integers(len(others))] if flaw == 'wrong' else target
    after = str(rng.choice(('place', 'drop', 'put down'), p=(0.4, 0.3, 0.3)))
    return Attempt(
        flaw,
        aim,
        _offset(rng, flaw),
        float(rng.choice((-1.0, 1.0)) * rng.uniform(0.5, 1.5)) if flaw == 'turned' else 0.0,
        0.012 if flaw == 'noised' else 0.0,
        int(rng.integers(2, 6)) if flaw in ('late', 'stall', 'hover') else 0,
        'place' if flaw == 'beside' else after,
    )


def _offset(rng: np.random.Generator, flaw: str) -> np.ndarray:
    """Where to close instead: everywhere up to 5 cm off, misses as often as grazing."""
    if flaw == 'early':
        return np.append(rng.normal(scale=0.008, size=2), rng.uniform(0.02, 0.07))
    if flaw != 'offset':
        return np.append(rng.normal(scale=0.004, size=2), 0.0)
    angle, radius = rng.uniform(-np.pi, np.pi), rng.uniform(0.008, FARTHEST_M)
    return aside(angle, radius)
