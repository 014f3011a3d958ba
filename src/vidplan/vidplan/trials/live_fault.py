# SPDX-License-Identifier: Apache-2.0
"""What happens to a moving arm, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vidplan.trials.stand import MOVING_RAD_S, QUIET_S, Stand

# When a fault has to be noticed, ROS time, s; asked for when the arm rests.
Bound = Callable[[], float]

# An arm is watched for so long at most after a fault, s; names may come so much later.
_WATCH_S, _NAME_S = 12.0, 5.0


def nothing(stand: Any) -> bool:
    """Recover from what needs no recovery."""
    del stand
    return True


@dataclass(frozen=True)
class LiveFault:
    """Something that goes wrong while the arm moves.

    Attributes:
        name: of a row of docs/safety.md, or of a kind of it.
        bound: until when it has to be noticed, in words.
        names: of the errors that fit it; one of them is enough.
        begin: makes it happen, and returns when it has to be noticed at the latest.
        recover: does what a person would; returns whether that was possible.
    """

    name: str
    bound: str
    names: tuple[str, ...]
    begin: Callable[[Any], Bound]
    recover: Callable[[Any], bool] = nothing


@dataclass(frozen=True)
class FaultTry:
    """What became of one fault.

    Attributes:
        beyond_s: from the bound to the arm's rest, s; 0 where it rested before.
        names: of the errors that were heard, in their order.
        named: whether the right one is among them.
        recovered: whether the arm could be moved again, nothing else restarted.
        starts: how often what was killed had to be started for that.
    """

    beyond_s: float
    names: tuple[str, ...]
    named: bool
    recovered: bool
    starts: int = 0


def attempt(stand: Stand, fault: LiveFault) -> FaultTry:
    """Let a fault happen at a random moment of a motion, watch, and recover.

    The arm then moves again, which the next fault happens to.

    Raises:
        TrialError: the arm could not even be set in motion.
    """
    if stand.arm.speed < MOVING_RAD_S:
        stand.move()
    stand.forget()
    bound = fault.begin(stand)
    beyond_s = _rest(stand, bound)
    named = stand.until(lambda: set(fault.names) & set(stand.names), _NAME_S)
    names = tuple(stand.names)
    recovered = fault.recover(stand)
    stand.heal()
    return FaultTry(beyond_s, names, named, recovered and stand.moves_again(), stand.starts)


def _rest(stand: Stand, bound: Bound) -> float:
    """Watch until the arm has rested for a while, the fault noticed; how late that was, s."""
    arm = stand.arm
    stand.until(lambda: arm.now_s > max(arm.moved_s, bound()) + QUIET_S, _WATCH_S)
    return max(0.0, arm.moved_s - bound())
