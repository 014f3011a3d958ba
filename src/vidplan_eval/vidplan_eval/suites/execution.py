# SPDX-License-Identifier: Apache-2.0
"""How far what is executed is what was planned: time taken over time planned, and the way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vidplan_core.control.adapter import ActionAdapter
from vidplan_core.control.commands import PlanCommand
from vidplan_core.control.config import AdapterConfig
from vidplan_core.data.action import PoseChunk
from vidplan_core.errors import CommandRejectedError
from vidplan_core.geometry.fk import flange_pose
from vidplan_core.geometry.se3 import so3_log
from vidplan_core.planner.interfaces import Start
from vidplan_core.planner.proposals.spatial import SpatialBasis
from vidplan_eval.suites.random_motions import (
    FRAMES,
    PERIOD_S,
    ArmStart,
    RandomMotions,
    can_follow,
    chunk_times,
    in_boxes,
)

Array = NDArray[np.float64]

# A motion that takes this much longer than planned counts as stretched.
STRETCHED = 1.02
STEP_M = 0.12

Case = tuple[ArmStart, PoseChunk]


@dataclass(frozen=True)
class Execution:
    """What became of one chunk.

    Attributes:
        ratio: time taken over time planned; NaN for a chunk that was refused.
        away_m: largest distance from a planned frame at its time.
        away_rad: the same for the orientation.
        length_m: from the first to the last planned position.
        refusal: why it was refused, '' if it was not.
    """

    ratio: float
    away_m: float
    away_rad: float
    length_m: float
    refusal: str = ''


def execute(config: AdapterConfig, start: ArmStart, chunk: PoseChunk) -> Execution:
    """Hand a chunk (1, frames) to a new adapter of an arm that is at its start."""
    adapter = ActionAdapter(config)
    adapter.on_joint_state(0.0, config.robot.joint_names, start.q, start.dq)
    plan = PlanCommand(
        1, 0.0, 0.0, PERIOD_S, chunk.position[0].double().numpy(),
        chunk.quaternion[0].double().numpy(), chunk.closedness[0].double().numpy(),
    )  # fmt: skip
    length_m = float((chunk.position[0, -1] - chunk.position[0, 0]).norm())
    try:
        command = adapter.on_plan(plan, 0.0)
    except CommandRejectedError as error:
        return Execution(np.nan, np.nan, np.nan, length_m, str(error))
    times = chunk_times(chunk.frames)
    q = torch.from_numpy(command.path_from(start.q, start.dq, 0 * start.dq).sample(times)[0])
    position, rotation = flange_pose(q, config.robot)
    away = (position - chunk.position[0]).norm(dim=-1)
    turned = so3_log(rotation @ chunk.rotation[0].double().mT).norm(dim=-1)
    taken_s = adapter.status(0.0).rest_in_s
    return Execution(taken_s / times[-1], float(away.max()), float(turned.max()), length_m)


def directions(motions: RandomMotions, starts: int) -> Iterator[Case]:
    """The six proposals of the spatial basis, 12 cm long, from each of some resting starts."""
    basis = SpatialBasis(step_m=STEP_M)
    for _ in range(starts):
        start = motions.start()
        position, rotation, velocity = start.flange(motions.robot)
        q = torch.from_numpy(start.q)
        here = Start(position, rotation, velocity, q, 0.0)
        chunks = basis.propose(here, 0.0, FRAMES, PERIOD_S)
        for index in range(len(chunks)):
            yield start, chunks.select(index)


def feasible_chunks(motions: RandomMotions, count: int) -> Iterator[Case]:
    """Random chunks with yaw and descent that the arm can follow, half of them in motion."""
    found = 0
    while found < count:
        start = motions.start(moving=found % 2 == 1)
        chunk = motions.chunk(start)
        if in_boxes(chunk, motions.robot) and can_follow(motions.robot, start, chunk):
            found += 1
            yield start, chunk


def bench_execution(
    config: AdapterConfig, seed: int, starts: int, chunks: int
) -> dict[str, dict[str, Any]]:
    """Measure and describe every kind of motion; equal seeds give equal results."""
    drawn = {
        'directions': directions(RandomMotions(config.robot, seed), starts),
        'chunks': feasible_chunks(RandomMotions(config.robot, seed + 1), chunks),
    }
    return {kind: summary(measure(config, cases)) for kind, cases in drawn.items()}


def measure(config: AdapterConfig, cases: Iterable[Case]) -> list[Execution]:
    """Execute every case."""
    return [execute(config, *case) for case in cases]


def summary(executions: list[Execution]) -> dict[str, Any]:
    """Count what was stretched or refused, and describe ratios and deviations."""
    followed = [done for done in executions if not done.refusal]
    ratios = np.array([done.ratio for done in followed])
    refusals: dict[str, int] = {}
    for done in executions:
        if done.refusal:
            reason = done.refusal.split(':')[0]
            refusals[reason] = refusals.get(reason, 0) + 1
    return {
        'chunks': len(executions),
        'refused': refusals,
        'stretched': int((ratios > STRETCHED).sum()),
        'twofold': int((ratios >= 2.0).sum()),
        'length_mean': float(np.mean([done.length_m for done in executions])),
        'ratio_mean': float(ratios.mean()),
        'ratio_max': float(ratios.max()),
        'away_mm_mean': 1e3 * float(np.mean([done.away_m for done in followed])),
        'away_mm_max': 1e3 * float(np.max([done.away_m for done in followed])),
        'away_mrad_max': 1e3 * float(np.max([done.away_rad for done in followed])),
    }
