# SPDX-License-Identifier: Apache-2.0
"""Line up what was imagined with what was then seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidplan.runlog import PlanRecord, RunLog, SeenFrame
from vidplan_core.metrics import psnr


@dataclass(frozen=True)
class Imagined:
    """The imagined frame that was due at some time.

    Attributes:
        plan: The cycle that imagined it.
        step: Its index in the chunk; 0 is the moment at which the chunk starts.
        image: uint8 (views * H, W, 3).
    """

    plan: PlanRecord
    step: int
    image: np.ndarray


@dataclass(frozen=True)
class StepQuality:
    """Truth of one imagined frame that was really executed.

    Attributes:
        cycle: Planning cycle.
        step: Index in the chunk.
        imagined_db: PSNR of each view of the imagined frame against what was seen.
        copied_db: PSNR of each view of the image that was planned from.
    """

    cycle: int
    step: int
    imagined_db: tuple[float, ...]
    copied_db: tuple[float, ...]


def plan_at(log: RunLog, time_s: float) -> PlanRecord | None:
    """Return the plan that the arm follows at `time_s`: the latest one that has started."""
    started = [plan for plan in log.plans if plan.start_s <= time_s + 1e-6]
    return max(started, key=lambda plan: plan.start_s, default=None)


def imagined_at(log: RunLog, time_s: float) -> Imagined | None:
    """Return what the followed plan had imagined for `time_s`, None where it had nothing."""
    plan = plan_at(log, time_s)
    if plan is None:
        return None
    step = round((time_s - plan.start_s) / log.frame_period_s)
    if step >= len(plan.predicted):
        return None
    return Imagined(plan, step, plan.predicted[step])


def split_views(image: np.ndarray, views: int) -> np.ndarray:
    """Split (views * H, W, 3) into (views, H, W, 3)."""
    return image.reshape(views, image.shape[0] // views, *image.shape[1:])


def view_psnr(first: np.ndarray, second: np.ndarray, views: int) -> tuple[float, ...]:
    """PSNR in dB of each view of two stitched uint8 images."""
    return tuple(psnr(split_views(first, views), split_views(second, views)).tolist())


def executed_steps(log: RunLog) -> list[StepQuality]:
    """Compare every imagined frame whose motion was executed with the image then seen.

    Frames after the next plan has taken over belong to motion that never happened and
    frames without an observation within half a period cannot be judged: both are left out.
    """
    qualities: list[StepQuality] = []
    for index, plan in enumerate(log.plans):
        later = log.plans[index + 1 : index + 2]
        end_s = later[0].start_s if later else float('inf')
        source = log.seen_near(plan.stamp_s)
        if source is not None:
            qualities += _plan_steps(log, plan, end_s, source)
    return qualities


def _plan_steps(
    log: RunLog, plan: PlanRecord, end_s: float, source: SeenFrame
) -> list[StepQuality]:
    steps = []
    for step in range(1, len(plan.predicted)):
        due_s = plan.start_s + step * log.frame_period_s
        seen = log.seen_near(due_s)
        missing = seen is None or abs(seen.stamp_s - due_s) > 0.5 * log.frame_period_s
        if missing or due_s > end_s + 1e-6:
            break
        steps.append(
            StepQuality(
                plan.cycle,
                step,
                view_psnr(plan.predicted[step], seen.image, len(log.views)),
                view_psnr(source.image, seen.image, len(log.views)),
            )
        )
    return steps
