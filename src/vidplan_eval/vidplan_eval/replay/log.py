# SPDX-License-Identifier: Apache-2.0
"""Entries of a run log for a replayed bag."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vidplan_eval.replay.fidelity import stitched
from vidplan_eval.replay.hindsight import HindsightChoice
from vidplan_eval.replay.windows import ObservationWindow
from vidplan_eval.viz.runlog import NO_PICTURES, PlanRecord


def hindsight_record(
    cycle: int,
    window: ObservationWindow,
    imagined: Tensor,
    choice: HindsightChoice | None,
    futures: np.ndarray = NO_PICTURES,
) -> PlanRecord:
    """Return the log's entry of a window.

    Its imagined frames are those of the motion that was executed, so that they can be compared
    with what was seen; its candidates and choice are the planner's.

    Args:
        cycle: number of the entry.
        window: the past and what then happened.
        imagined: views (frames, views, 3, height, width) in [0, 1].
        choice: what the planner would have done; None where it was not asked.
        futures: last imagined frame of each candidate, uint8 (candidates, views * H, W, 3).
    """
    present = window.future[0]
    result = None if choice is None else choice.result
    executed = np.array([seen.position for seen in window.future])
    chunk = None if result is None else result.chunk.detach().to('cpu').to(torch.float64)
    return PlanRecord(
        stamp_s=present.stamp_s,
        start_s=present.stamp_s,
        cycle=cycle,
        predicted=stitched(imagined),
        relevancy=np.zeros((3, 0, 0)) if result is None else result.relevancy,
        candidates=np.zeros((0, 1, 3))
        if result is None
        else result.candidates.detach().to('cpu').to(torch.float64).position.numpy(),
        scores=np.zeros(0) if result is None else np.asarray(result.scores),
        best=-1 if result is None else result.best,
        score=float('nan') if result is None else result.score,
        position=executed if chunk is None else chunk.position[0].numpy(),
        quaternion=np.array([seen.quaternion for seen in window.future])
        if chunk is None
        else chunk.quaternion[0].numpy(),
        closedness=np.array([seen.closedness for seen in window.future]),
        latency_s=0.0 if result is None else result.latency_s,
        terms={} if result is None else dict(result.terms),
        futures=futures,
    )
