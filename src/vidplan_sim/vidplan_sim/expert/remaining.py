# SPDX-License-Identifier: Apache-2.0
"""How many frames the expert still needs from a moment, without simulating physics.

Its rule is followed with the time law of every chunk, an arm that follows exactly and a grasp
that holds where it should; only what touching did until now is taken from the simulator.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vidplan_sim.cell import GRIPPER_SPEED
from vidplan_sim.expert.decision import VERBS, Decision, PickPlaceTask
from vidplan_sim.expert.rule import DECISION_FRAMES, DROP_M, View, decide, done

MOST_FRAMES = 95
CHUNK_S, PERIOD_S = 0.8, 0.2
FALL_FRAMES = 1.0
LET_GO = 0.6  # an opening hand has let go below this set point
IN_BOWL_M = 0.04  # height of a centre in the bowl


def frames_to_go(view: View, target: str, holds: bool | None = None) -> np.ndarray:
    """Frames (verbs,) until a target is reached, picked and placed, in the order of `VERBS`.

    Args:
        view: the moment.
        target: kind of the target.
        holds: what a closing that is under way will come to, where that is known.

    Returns:
        float32; NaN for a pick of what lies in the bowl, `MOST_FRAMES` for never.
    """
    tasks = [PickPlaceTask(verb, target) for verb in VERBS]
    found = np.full(len(VERBS), np.nan, np.float32)
    if view.in_bowl and not view.held:
        found[2] = 0.0
        return found
    if view.falling:
        found[2] = FALL_FRAMES
        return found
    for frame in range(0, MOST_FRAMES, DECISION_FRAMES):
        decision, _ = decide(view, tasks[2])
        for later in range(DECISION_FRAMES):
            moment = _moved(view, decision, later, holds)
            for number, task in enumerate(tasks):
                if np.isnan(found[number]) and done(moment, task):
                    found[number] = frame + later
        if not np.isnan(found[2]):
            break
        view, holds = _moved(view, decision, DECISION_FRAMES, holds), _known(view, holds)
    return np.where(np.isnan(found), np.float32(MOST_FRAMES), found)


def _known(view: View, holds: bool | None) -> bool | None:
    """What is known of a closing counts for that closing only."""
    return holds if view.closing else None


def _moved(view: View, decision: Decision, frames: int, holds: bool | None) -> View:
    """The moment some frames into a chunk."""
    if not frames:
        return view
    part = frames * PERIOD_S / CHUNK_S
    shape, start = part * part * (3 - 2 * part), part * (1 - part) ** 2
    move = shape * decision.displacement + CHUNK_S * start * view.velocity
    speed = (6 * part * (1 - part) * decision.displacement / CHUNK_S
             + (1 - part) * (1 - 3 * part) * view.velocity)
    most = GRIPPER_SPEED * frames * PERIOD_S
    set_point = view.set_point + float(np.clip(decision.closedness - view.set_point, -most, most))
    after = replace(
        view, tool=view.tool + move, yaw=view.yaw + shape * decision.turn_rad,
        velocity=speed, goal=decision.closedness, set_point=set_point,
    )  # fmt: skip
    return _touched(view, after, move, holds)


def _touched(view: View, after: View, move: np.ndarray, holds: bool | None) -> View:
    """What the hand holds then, and where the target is."""
    if view.held and after.goal < 0.5 and after.set_point < LET_GO:
        over = np.linalg.norm((after.tool - view.bowl)[:2]) < DROP_M
        height = IN_BOWL_M if over else view.lying_m
        return replace(after, held=False, target=np.append(after.tool[:2], height))
    if view.held:
        return replace(after, target=view.target + move, grasp=view.grasp + move)
    if view.goal > 0.5 and after.set_point >= 0.999 and view.set_point < 0.999:
        return replace(after, held=_within(view) if holds is None else holds)
    return after


def _within(view: View) -> bool:
    gap = view.grasp - view.tool
    return bool(np.hypot(gap[0], gap[1]) < 0.02 and abs(gap[2]) < 0.02)
