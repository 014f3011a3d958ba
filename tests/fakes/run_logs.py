# SPDX-License-Identifier: Apache-2.0
"""A small made-up run: a square that moves right, planned every other frame."""

from __future__ import annotations

import numpy as np

from vidplan_eval.viz.runlog import PlanRecord, RunLog, RunResult, SeenFrame

PERIOD_S = 0.2
HEIGHT, WIDTH = 24, 40
DOWN = np.array([1.0, 0.0, 0.0, 0.0])


def stitched(step: int, shade: int = 200) -> np.ndarray:
    """Three stacked views with a square at a place that depends on `step`."""
    image = np.full((3, HEIGHT, WIDTH, 3), 60, np.uint8)
    image[:, 8:14, 2 + 2 * step : 8 + 2 * step] = (shade, 80, 40)
    return image.reshape(3 * HEIGHT, WIDTH, 3)


def flange(step: int) -> np.ndarray:
    return np.array([0.4 + 0.01 * step, -0.1 + 0.02 * step, 0.4 - 0.01 * step])


def seen_frame(step: int) -> SeenFrame:
    return SeenFrame(step * PERIOD_S, stitched(step), flange(step), DOWN, 0.0, np.zeros(7))


def plan_record(cycle: int, step: int, frames: int = 5) -> PlanRecord:
    path = np.stack([flange(step + k) for k in range(frames)])
    relevancy = np.full((3, 6, 10), 0.5)
    relevancy[:, 2:4, 3:5] = 0.9
    offsets = np.linspace(-0.05, 0.05, 6)[:, None, None] * np.linspace(0, 1, frames)[:, None]
    return PlanRecord(
        stamp_s=step * PERIOD_S,
        start_s=(step + 1) * PERIOD_S,
        cycle=cycle,
        predicted=np.stack([stitched(step + 1 + k, 190) for k in range(frames)]),
        relevancy=relevancy,
        candidates=path + offsets,
        scores=np.linspace(0.1, 0.6, 6),
        best=5,
        score=0.6 + 0.01 * cycle,
        position=path,
        quaternion=np.tile(DOWN, (frames, 1)),
        closedness=np.zeros(frames),
        latency_s=0.2 + 0.01 * cycle,
    )


def run_log(frames: int = 9, *, success: bool = True) -> RunLog:
    """A finished run of `frames` observations."""
    code = 'SUCCESS' if success else 'TIME_LIMIT'
    return RunLog(
        instruction='move to the <carrot> & stop',
        target='carrot',
        seed=1_000_000,
        seen=[seen_frame(step) for step in range(frames)],
        plans=[plan_record(step // 2, step) for step in range(0, frames - 2, 2)],
        result=RunResult(success, code, 'at rest above the carrot', frames // 2, frames * 0.2),
    )
