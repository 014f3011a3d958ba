# SPDX-License-Identifier: Apache-2.0
"""What the planner would have chosen at every moment of a bag, beside what was done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidplan_core.control.commands import CommittedMotion
from vidplan_core.data.observation import Observation
from vidplan_core.errors import VidPlanError
from vidplan_core.planner.plans.result import PlanResult, Task
from vidplan_core.planner.system import PlanningSystem
from vidplan_eval.bags.recording import GOAL, PLAN, RESULT
from vidplan_eval.bags.rosbag import Bag
from vidplan_eval.replay.windows import ObservationWindow

# Motions shorter than this have no direction, m.
STILL_M = 0.01


@dataclass(frozen=True)
class Recorded:
    """What a bag says about its task.

    Attributes:
        instruction: words of the last goal, '' without one.
        target: its explicit target.
        success: of its result, None without one.
        message: of its result.
        plans: how many plans were published.
    """

    instruction: str = ''
    target: str = ''
    success: bool | None = None
    message: str = ''
    plans: int = 0


@dataclass(frozen=True, eq=False)
class HindsightChoice:
    """One cycle of the planner in hindsight; `result` is None where it gave up, with a reason."""

    window: ObservationWindow
    result: PlanResult | None
    error: str = ''


def recorded_task(bag: Bag) -> Recorded:
    """Return what the bag says about the task that was followed."""
    goal: Any = None
    result: Any = None
    for role, _, message in bag.messages([GOAL, RESULT]):
        if role == GOAL:
            goal, result = message, None
        else:
            result = message
    return Recorded(
        instruction=goal.instruction if goal else '',
        target=goal.target if goal else '',
        success=bool(result.success) if result else None,
        message=result.error_msg if result else '',
        plans=bag.count(PLAN),
    )


def committed_motion(executed: Sequence[Observation], frames: int) -> CommittedMotion:
    """Return what the arm then did for `frames` frames, as what it was committed to do."""
    # One frame more than is committed, so that the velocity at the end is the real one.
    kept = executed[: frames + 2]
    return CommittedMotion(
        times_s=np.array([seen.stamp_s for seen in kept]),
        position=np.array([seen.position for seen in kept]),
        quaternion=np.array([seen.quaternion for seen in kept]),
        closedness=np.array([seen.closedness for seen in kept]),
        q=np.array([seen.q for seen in kept]),
        dq=np.array([seen.dq for seen in kept]),
    )


def choices(
    system: PlanningSystem,
    found: Sequence[ObservationWindow],
    instruction: str,
    target: str,
    every: int,
) -> list[HindsightChoice]:
    """Plan at every `every`-th window, remembering as a running task does.

    Raises:
        InstructionError: no phrase to look for.
    """
    task = system.new_task(instruction, target)
    return [choice_at(system, task, window) for window in found[::every]]


def choice_at(system: PlanningSystem, task: Task, window: ObservationWindow) -> HindsightChoice:
    """Plan at one moment of a task; what goes wrong is part of the answer."""
    motion = committed_motion(window.future, system.config.committed_frames)
    try:
        return HindsightChoice(window, system.plan(task, window.past, motion, lambda: False))
    except VidPlanError as error:
        return HindsightChoice(window, None, f'{error.code}: {error}')


def agreement(choice: HindsightChoice, committed_frames: int) -> float | None:
    """Cosine between the planned motion and what was done from its start on.

    None where either hardly moved, or the recording ends before.
    """
    done = choice.window.future
    if choice.result is None or committed_frames >= len(done) - 1:
        return None
    planned = choice.result.chunk.position[0].detach().cpu().double().numpy()
    ahead = len(done) - 1 - committed_frames
    motions = planned[ahead] - planned[0], done[-1].position - done[committed_frames].position
    lengths = [float(np.linalg.norm(motion)) for motion in motions]
    if min(lengths) < STILL_M:
        return None
    return float(np.dot(*motions) / np.prod(lengths))


def choice_entry(choice: HindsightChoice, committed_frames: int) -> dict[str, Any]:
    """Return a choice for the result file, its duration left out: files are compared."""
    entry: dict[str, Any] = {'stamp_s': round(choice.window.past[-1].stamp_s, 6)}
    if choice.result is None:
        return {**entry, 'error': choice.error}
    result = choice.result
    planned = result.chunk.position[0].detach().cpu().double().numpy()
    return {
        **entry,
        'done': result.done,
        'best': result.best,
        'score': round(result.score, 6),
        'scores': [round(float(score), 6) for score in result.scores],
        'motion_m': np.round(planned[-1] - planned[0], 6),
        'agreement': agreement(choice, committed_frames),
        'terms': {name: round(float(value), 6) for name, value in result.terms.items()},
    }
