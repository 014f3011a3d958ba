# SPDX-License-Identifier: Apache-2.0
"""What is planned is executed in its time: a few of what `vidplan bench execution` measures."""

from __future__ import annotations

import numpy as np
import pytest

from vidplan_core.control.config import AdapterConfig
from vidplan_eval.suites.execution import bench_execution, execute, feasible_chunks
from vidplan_eval.suites.random_motions import ArmStart, RandomMotions, can_follow


@pytest.fixture(scope='module')
def config() -> AdapterConfig:
    return AdapterConfig()


def test_nothing_that_an_arm_can_follow_is_stretched(config: AdapterConfig) -> None:
    result = bench_execution(config, seed=7, starts=3, chunks=12)
    assert {name: row['chunks'] for name, row in result.items()} == {
        'directions': 18, 'chunks': 12,
    }  # fmt: skip
    for row in result.values():
        assert not row['refused']
        assert row['ratio_max'] <= 1.02
        assert row['away_mm_max'] < 0.5
    # Most proposals have their whole length: they are not made easy by being made short.
    assert result['directions']['length_mean'] > 0.1


def test_what_an_arm_cannot_follow_is_told_from_what_it_can(config: AdapterConfig) -> None:
    """The same way, three times as far: the search finds no joint motion, the adapter is late."""
    motions = RandomMotions(config.robot, 3)
    start, chunk = next(feasible_chunks(motions, 1))
    assert can_follow(config.robot, start, chunk)
    still = ArmStart(start.q, np.zeros(7))
    far = chunk.position[:, :1] + 3 * (chunk.position - chunk.position[:, :1])
    chunk.position[:] = far
    chunk.position[..., 2].clamp_(0.2, 0.6)
    done = execute(config, still, chunk)
    assert can_follow(config.robot, still, chunk) == (done.refusal == '' and done.ratio < 1.02)
