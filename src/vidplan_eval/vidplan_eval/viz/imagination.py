# SPDX-License-Identifier: Apache-2.0
"""Line up what was imagined with what was then seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidplan_core.metrics.images import psnr
from vidplan_eval.viz.runlog import PlanRecord, RunLog, SeenFrame

# The arm has moved when the flange has come this far, m.
MOTION_M = 0.01


@dataclass(frozen=True)
class Imagined:
    """The imagined frame that was due at some time.

    Attributes:
        plan: The cycle that imagined it.
        step: Its index in the chunk; 0 is the moment at which the chunk starts.
        image: uint8 (views * H, W, 3).
        beyond: Whether the asked time lies after it: it is the last one that there is.
    """

    plan: PlanRecord
    step: int
    image: np.ndarray
    beyond: bool = False


@dataclass(frozen=True)
class StepQuality:
    """Truth of one imagined frame that was really executed.

    Attributes:
        cycle: Planning cycle.
        step: Index in the chunk.
        moved_m: How far the flange had come since the image that was planned from.
        imagined_db: PSNR of each view of the imagined frame against what was seen.
        copied_db: PSNR of each view of the image that was planned from.
    """

    cycle: int
    step: int
    moved_m: float
    imagined_db: tuple[float, ...]
    copied_db: tuple[float, ...]


def plan_at(log: RunLog, time_s: float) -> PlanRecord | None:
    """Return the plan that the arm follows at `time_s`: the latest one that has started."""
    started = [plan for plan in log.plans if plan.start_s <= time_s + 1e-6]
    return max(started, key=lambda plan: plan.start_s, default=None)


def imagined_at(log: RunLog, time_s: float) -> Imagined | None:
    """Return what had been imagined for `time_s`; None before the first imagination.

    Beyond its horizon, and while a plan without imagination is followed, the last frame stays
    until there is a newer one.
    """
    started = [p for p in log.plans if p.start_s <= time_s + 1e-6 and len(p.predicted)]
    if not started:
        return None
    plan = max(started, key=lambda one: one.start_s)
    due = round((time_s - plan.start_s) / log.frame_period_s)
    step = min(due, len(plan.predicted) - 1)
    return Imagined(plan, step, plan.predicted[step], beyond=due > step)


def ending_s(log: RunLog) -> float:
    """Return when the last motion begins [s], from where on the verdict is no secret."""
    last_s = log.seen[-1].stamp_s
    return min([last_s, *(plan.start_s for plan in log.plans[-1:])])


def split_views(image: np.ndarray, views: int) -> np.ndarray:
    """Split (views * H, W, 3) into (views, H, W, 3)."""
    return image.reshape(views, image.shape[0] // views, *image.shape[1:])


def view_psnr(first: np.ndarray, second: np.ndarray, views: int) -> tuple[float, ...]:
    """PSNR in dB of each view of two stitched uint8 images."""
    return tuple(psnr(split_views(first, views), split_views(second, views)).tolist())


def takes_over_s(log: RunLog, plan: PlanRecord) -> float:
    """Return when another motion than the plan's is executed [s]; infinity if never."""
    later = [other.start_s for other in log.plans if other.start_s > plan.start_s]
    return min(later) if later and not log.replayed else float('inf')


def executed_steps(log: RunLog) -> list[StepQuality]:
    """Compare every imagined frame whose motion was executed with the image then seen.

    Frames after the next plan has taken over belong to motion that never happened, frames
    without an observation within half a period cannot be judged, and where the arm stands a
    copy is perfect and says nothing: all three are left out.
    """
    qualities: list[StepQuality] = []
    for plan in log.plans:
        source = log.seen_near(plan.stamp_s)
        if source is not None:
            qualities += _plan_steps(log, plan, source)
    return [quality for quality in qualities if quality.moved_m > MOTION_M]


def _plan_steps(log: RunLog, plan: PlanRecord, source: SeenFrame) -> list[StepQuality]:
    end_s = takes_over_s(log, plan)
    steps = []
    for step in range(1, len(plan.predicted)):
        due_s = plan.start_s + step * log.frame_period_s
        seen = log.seen_near(due_s)
        if seen is None or abs(seen.stamp_s - due_s) > 0.5 * log.frame_period_s:
            break
        if due_s > end_s + 1e-6:
            break
        steps.append(
            StepQuality(
                plan.cycle,
                step,
                float(np.linalg.norm(seen.position - source.position)),
                view_psnr(plan.predicted[step], seen.image, len(log.views)),
                view_psnr(source.image, seen.image, len(log.views)),
            )
        )
    return steps
