# SPDX-License-Identifier: Apache-2.0
"""How a goal in the simulated cell really ended: what its ground truth says, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vidplan_sim.expert.decision import PICK, PLACE, PUSH, REACH
from vidplan_sim.expert.pushing import beside
from vidplan_sim.expert.rule import LIFTED_M
from vidplan_sim.expert.script import IN_BOWL_RADIUS_M, lies_in_bowl
from vidplan_sim.push_scenes import HEADINGS

BOWL = 'bowl'
NEAR_M = 0.05  # from the tool to what it has moved to, horizontally
# What was pushed lies farther along its way and no more beside it, at the height that it had.
PUSHED_M, ASIDE_M, SUNK_M = 0.06, 0.04, 0.007
Places = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class TrueEnding:
    """What became of the named object.

    Attributes:
        done: whether it is as the instruction wants it.
        words: the same, such as 'the carrot is 1.2 cm from the middle of the bowl, in it'.
        numbers: by name, with units, for JSON.
    """

    done: bool
    words: str
    numbers: Mapping[str, float]


def true_ending(
    verb: str, kind: str, before: Places, now: Places, tool: np.ndarray, way: str = ''
) -> TrueEnding | None:
    """Judge an object by the truth at the end; None where the truth does not tell.

    Args:
        verb: of the instruction; what is placed is placed in the bowl.
        kind: of the object.
        before, now: centres (3,) by kind at the start and at the end, base frame, m.
        tool: tool centre point (3,) at the end.
        way: in which it was to be pushed, a key of `HEADINGS`; '' for other verbs.
    """
    if any(kind not in places for places in (before, now)):
        return None
    if verb == REACH:
        return _reached(kind, now, tool)
    if verb == PICK:
        return _picked(kind, before, now)
    if verb == PUSH and way:
        return _pushed(kind, before, now, way)
    return _placed(kind, now) if verb == PLACE and BOWL in now else None


def _reached(kind: str, now: Places, tool: np.ndarray) -> TrueEnding:
    away_m = float(np.linalg.norm(tool[:2] - now[kind][:2]))
    words = f'the tool is {away_m * 100:.1f} cm from the {kind}, horizontally'
    return TrueEnding(away_m <= NEAR_M, words, {'tool_to_target_m': away_m})


def _picked(kind: str, before: Places, now: Places) -> TrueEnding:
    lifted_m = float(now[kind][2] - before[kind][2])
    done = lifted_m > LIFTED_M
    height = f'{lifted_m * 100:.1f} cm above where it lay'
    words = f'the {kind} is {height}' + ('' if done else ', not lifted')
    return TrueEnding(done, words, {'lifted_m': lifted_m})


def went(before: np.ndarray, now: np.ndarray, way: str) -> tuple[float, float]:
    """How far a thing has gone along its way, and how far it lies beside it, m."""
    along_m, aside_m = beside((now - before)[:2], np.array(HEADINGS[way]))
    return along_m, abs(aside_m)


def _pushed(kind: str, before: Places, now: Places, way: str) -> TrueEnding:
    along_m, aside_m = went(before[kind], now[kind], way)
    fell = now[kind][2] < before[kind][2] - SUNK_M
    done = along_m >= PUSHED_M and aside_m <= ASIDE_M and not fell
    words = f'the {kind} is {along_m * 100:.1f} cm along its way, {aside_m * 100:.1f} cm aside'
    numbers = {'along_m': along_m, 'aside_m': aside_m}
    return TrueEnding(done, words + (', and fell over' if fell else ''), numbers)


def _placed(kind: str, now: Places) -> TrueEnding:
    away_m = float(np.linalg.norm((now[kind] - now[BOWL])[:2]))
    done = lies_in_bowl(now[kind], now[BOWL])
    where = 'in it' if done else 'above it' if away_m < IN_BOWL_RADIUS_M else 'not in it'
    words = f'the {kind} is {away_m * 100:.1f} cm from the middle of the {BOWL}, {where}'
    numbers = {'target_to_bowl_m': away_m, 'target_height_m': float(now[kind][2])}
    return TrueEnding(done, words, numbers)
