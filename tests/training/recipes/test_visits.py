# SPDX-License-Identifier: Apache-2.0
"""What a planner visits becomes branch sets: its choice, its next best, and any others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from tests.training.recipes.test_contact import head_and_inputs
from vidplan_core.data.action import PoseChunk
from vidplan_core.errors import ConfigError
from vidplan_training.recipes.contact import recipe, visits
from vidplan_training.recipes.contact.relations import LookedRows
from vidplan_training.recipes.contact.value import BRANCHES, ValueBatch
from vidplan_training.recipes.contact.visits import BEST, VisitingPlanner, WatchedValue, visit

CANDIDATES = 12


@dataclass(frozen=True)
class FakePlan:
    scores: list[float]
    best: int
    candidates: PoseChunk
    chunk: PoseChunk | None = None
    score: float = 0.0
    refinement: tuple[float, ...] = ()
    done: bool = False
    start_s: float = 0.4
    terms: object = None
    _imagined: object = None
    _heat: object = None


class FakePlanner:
    """Looks at its candidates through the watched value, and finds the fourth best."""

    def __init__(self, watched: WatchedValue, inputs: Any, count: int) -> None:
        self.watched, self.inputs, self.count = watched, inputs, count

    def plan(self, *_: object) -> FakePlan:
        if self.count > 1:
            self.watched.seen = torch.zeros(self.count, 4, 6).half(), self.inputs
        numbers = torch.arange(self.count, dtype=torch.float32)
        places = numbers[:, None, None].expand(-1, 5, 3)
        turned = torch.eye(3).expand(self.count, 5, 3, 3)
        chunks = PoseChunk(places, turned, torch.zeros(self.count, 5))
        scores = (-(numbers - 3.0).abs()).tolist()
        return FakePlan(scores, min(3, self.count - 1), chunks)


class FakeWorth:
    """The tenth candidate and its neighbours take the fewest frames."""

    def frames(self, chunk: PoseChunk, observed_s: float, start_s: float) -> float:
        return 10.0 * abs(float(chunk.position[0, 0, 0]) - 10.0) + 1.0


def visiting(count: int, seed: int = 0) -> VisitingPlanner:
    head, inputs = head_and_inputs(max(count, 2))
    watched = WatchedValue(head)
    planner: Any = FakePlanner(watched, inputs, count)
    return VisitingPlanner(planner, watched, FakeWorth(), np.random.default_rng(seed))


def plan(planner: VisitingPlanner) -> Any:
    history: Any = [SimpleNamespace(stamp_s=1.0)]
    return planner.plan(None, history, None, lambda: False)


def test_a_set_holds_the_planners_best_and_what_they_came_to() -> None:
    planner = visiting(CANDIDATES)
    for _ in range(3):
        plan(planner)
    assert len(planner.sets) == 3
    for number, (looked, rows) in enumerate(planner.sets):
        assert looked.shape[0] == BRANCHES
        assert (rows.group == number).all()
        assert rows.to_go[:, :-1].isnan().all()
        frames = rows.to_go[:BEST, -1]
        assert frames[0] == 71.0  # the planner's own: the fourth
        assert sorted(frames.tolist()) == [51.0, 61.0, 71.0, 81.0, 91.0]


def test_what_is_carried_out_is_of_the_set_and_often_the_planners() -> None:
    planner = visiting(CANDIDATES, 1)
    taken = [plan(planner).best for _ in range(40)]
    assert taken.count(3) > 5
    assert set(taken) - {3}
    assert set(taken) <= set(range(CANDIDATES))


@pytest.mark.parametrize('count', [1, BRANCHES - 1])
def test_too_few_candidates_are_no_set(count: int) -> None:
    planner = visiting(count)
    assert plan(planner).chunk is None
    assert planner.sets == []


def rows_of(sets: int) -> LookedRows:
    _, inputs = head_and_inputs(sets * BRANCHES)
    group = torch.arange(sets).repeat_interleave(BRANCHES)
    to_go = torch.ones(len(group), 4)
    return LookedRows(torch.zeros(len(group), 4, 6).half(), ValueBatch(inputs, to_go, group), sets)


def test_visits_are_recorded_once_and_numbered_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded: list[int] = []

    class FakeRecorder:
        def __init__(self, models: Path) -> None:
            pass

        def record(self, seed: int) -> LookedRows | None:
            recorded.append(seed)
            return None if seed == 16 else rows_of(2)

    monkeypatch.setattr(visits, 'VisitRecorder', FakeRecorder)
    for _ in range(2):  # the second time only the one without sets is asked for again
        training, held_out = visit(tmp_path, tmp_path, range(13, 18), 1)
    assert recorded == [13, 14, 15, 16, 17, 16]
    assert training is not None
    assert held_out is not None  # seed 14
    assert (training.sets, held_out.sets) == (6, 2)
    groups = training.samples.group.unique().tolist() + held_out.samples.group.unique().tolist()
    assert sorted(groups) == list(range(8))


def test_visits_need_the_value_that_looked() -> None:
    asked = SimpleNamespace(visits=1)
    with pytest.raises(ConfigError, match='in a run of its own'):
        recipe._visits(SimpleNamespace(recipe=asked, report={'value': {}}))  # type: ignore[arg-type]
