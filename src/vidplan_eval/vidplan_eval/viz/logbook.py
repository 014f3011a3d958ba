# SPDX-License-Identifier: Apache-2.0
"""The core's observations and plans as entries of a run log."""

from __future__ import annotations

import numpy as np
import torch

from vidplan_core.data.observation import Observation
from vidplan_core.planner.plans.result import PlanResult
from vidplan_eval.viz.runlog import NO_PICTURES, PlanRecord, SeenFrame


def seen_frame(observation: Observation) -> SeenFrame:
    """Return the log's entry of an observation."""
    return SeenFrame(
        stamp_s=observation.stamp_s,
        image=observation.image,
        position=observation.position,
        quaternion=observation.quaternion,
        closedness=observation.closedness,
        q=observation.q,
    )


def plan_record(result: PlanResult, observed_s: float, *, pictures: bool = False) -> PlanRecord:
    """Return the log's entry of a plan that was made from the observation of `observed_s`.

    Decoding the imagined frames takes longer than planning; `pictures` says whether to.
    """
    chunk = result.chunk.detach().to('cpu').to(torch.float64)
    return PlanRecord(
        stamp_s=observed_s,
        start_s=result.start_s,
        cycle=result.cycle,
        predicted=result.predicted if pictures else NO_PICTURES,
        relevancy=result.relevancy,
        candidates=result.candidates.detach().to('cpu').to(torch.float64).position.numpy(),
        scores=np.asarray(result.scores),
        best=result.best,
        score=result.score,
        position=chunk.position[0].numpy(),
        quaternion=chunk.quaternion[0].numpy(),
        closedness=chunk.closedness[0].numpy(),
        latency_s=result.latency_s,
        terms=dict(result.terms),
        futures=result.futures if pictures else NO_PICTURES,
        notes=result.notes,
    )
