# SPDX-License-Identifier: Apache-2.0
"""What lives from cycle to cycle, with fakes: targets missed and moved, motions, ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.fakes.tiny_scorer import TinyScorer
from tests.vidplan_core.planner.looks import looks
from vidplan_core.control.commands import CommittedMotion
from vidplan_core.data.action import PoseChunk
from vidplan_core.data.observation import Observation
from vidplan_core.errors import ObservationError, TargetNotFoundError
from vidplan_core.geometry.fk import tcp_position
from vidplan_core.geometry.se3 import quaternion_to_matrix
from vidplan_core.heads.bundle import Heads
from vidplan_core.language.instruction import Instruction
from vidplan_core.planner.compositions import Composition
from vidplan_core.planner.config import PlannerConfig
from vidplan_core.planner.interfaces import Situation
from vidplan_core.planner.parts import PlannerParts
from vidplan_core.planner.planner import Plan
from vidplan_core.planner.plans.result import PlanResult, Task
from vidplan_core.planner.session import SEEDS_APART, Session
from vidplan_core.planner.target.locating import Sighting
from vidplan_core.planner.tasks.reach import Reach
from vidplan_core.world_model.context import Context

HERE, NEAR, THERE = (0.5, 0.0, 0.03), (0.54, 0.0, 0.03), (0.5, 0.3, 0.03)
VIEWS = 3
# What one look shows: a place for every view, None where it shows nothing.
Look = Sequence[tuple[float, float, float] | None]
ALL_HERE, NOTHING = (HERE,) * VIEWS, (None,) * VIEWS


@dataclass
class FakeWorldModel:
    """Knows its sizes; remembers what it was asked to imagine."""

    config: Any = field(
        default_factory=lambda: SimpleNamespace(
            views=('left', 'right', 'wrist'), height=32, width=64, frames=5, frame_period_s=0.2
        )
    )
    words: list[str] = field(default_factory=list)
    imagined: list[PoseChunk] = field(default_factory=list)
    advanced: list[int] = field(default_factory=list)

    mean: Tensor = field(default_factory=lambda: torch.zeros(1))

    def encode(self, images: Tensor) -> Tensor:
        return torch.zeros(1, images.shape[1], 4, 12, 8)

    def past(self, latents: Tensor, poses: PoseChunk, words: str) -> Context:
        self.words.append(words)
        return Context(latents, poses)

    def imagine(self, context: Context, chunk: PoseChunk, *_: object) -> Any:
        self.imagined.append(chunk)
        return SimpleNamespace(
            latents=torch.zeros(1, 5, 4, 12, 8), chunk=chunk, measured=chunk
        )  # fmt: skip

    def advance(self, context: Context, latents: Tensor, chunk: PoseChunk, frame: int) -> Context:
        self.advanced.append(frame)
        return replace(context, latents=torch.ones_like(context.latents))


class FakeScorer:
    """Sees a mug in every picture, and more of a carrot."""

    def relevancy(self, images: Tensor, phrase: str) -> Tensor:
        peak = {'mug': 0.6, 'carrot': 0.9}.get(phrase, 0.5)
        return torch.full((len(images), 2, 2), peak)

    def localise(self, relevancy: Tensor) -> Any:
        return SimpleNamespace(peak=relevancy.amax((1, 2)))


class FakeLocator:
    """Shows what a test says, one look after the other, the last one for ever."""

    threshold = 0.55
    scorer = FakeScorer()
    trust_m = torch.ones(VIEWS)

    def __init__(self, shown: Sequence[Look]) -> None:
        self.shown, self.phrases, self.maps = list(shown), [], []

    def look(
        self,
        images: Tensor,
        position: Tensor,
        rotation: Tensor,
        phrase: str,
        maps: Any = None,
        chosen: Any = None,
    ) -> Sighting:
        self.phrases.append(phrase)
        self.maps.append(maps)
        look = self.shown.pop(0) if len(self.shown) > 1 else self.shown[0]
        points = torch.tensor([[place or (9.0, 9.0, 9.0) for place in look]])
        certainty = torch.tensor([[0.0 if place is None else 0.9 for place in look]])
        return Sighting(
            points,
            certainty,
            certainty,
            torch.zeros(1, VIEWS, 4, 8),
            torch.full((1, VIEWS, 2), 0.5),
        )


class FakePlanner:
    """Stays where it is; remembers the situations that it planned from."""

    def __init__(self) -> None:
        self.situations: list[Situation] = []

    def plan(self, situation: Situation, should_stop: object) -> Plan:
        self.situations.append(situation)
        start = situation.start
        chunk = PoseChunk(
            start.position.expand(1, 5, 3), start.rotation.expand(1, 5, 3, 3), torch.zeros(1, 5)
        )
        return Plan(chunk, chunk, torch.tensor([1.5]), 0, 1.5, {'known': 1.0}, None, ())


class Bench:
    """A session of fakes, following one instruction."""

    def __init__(self, shown: Sequence[Look], heads: Heads | None = None, **knobs: Any) -> None:
        self.model, self.locator = FakeWorldModel(), FakeLocator(shown)
        self.planner = FakePlanner()
        fakes: Any = self.model, self.locator, Heads() if heads is None else heads
        parts = PlannerParts(PlannerConfig(**knobs), *fakes, torch.device('cpu'))
        kind, planner = Reach.build(parts), self.planner
        self.session = Session(parts, {'reach': Composition(kind, planner, kind.done)})  # type: ignore[arg-type]
        self.task = Task(Instruction('reach', 'red ball', words='move to the red ball'))

    def plan(
        self,
        seen: Sequence[Observation] | None = None,
        committed: CommittedMotion | None = None,
    ) -> PlanResult:
        return self.session.plan(self.task, looks() if seen is None else seen, committed)


def over(place: tuple[float, float, float], moving: bool = False) -> list[Observation]:
    """Looks of an arm whose tool is where it should rest over a target."""
    seen = looks()[-1]
    rotation = quaternion_to_matrix(torch.as_tensor(seen.quaternion).float())
    goal = torch.tensor(place) + torch.tensor([0.0, 0.0, PlannerConfig().standoff_m])
    position = goal - tcp_position(torch.zeros(3), rotation)
    speed = np.full(7, 0.1 if moving else 0.0)
    return [replace(one, position=position.double().numpy(), dq=speed) for one in looks()]


# The target


def test_a_target_that_no_view_shows_is_named_before_any_plan() -> None:
    bench = Bench([NOTHING])
    told = r"'red ball' now: .* 0.00, needed 0.55; in view: carrot, mug$"
    with pytest.raises(TargetNotFoundError, match=told):
        bench.plan()
    assert not bench.planner.situations
    assert bench.task.cycle == 0


def test_the_target_and_the_words_of_the_one_instruction_are_used() -> None:
    bench = Bench([ALL_HERE])
    bench.plan()
    assert bench.locator.phrases == ['red ball']
    assert bench.model.words == ['move to the red ball']
    assert bench.planner.situations[0].instruction is bench.task.instruction


def test_a_missed_target_is_remembered_for_as_many_cycles_as_allowed() -> None:
    bench = Bench([ALL_HERE, NOTHING], max_missed_cycles=2)
    results = [bench.plan() for _ in range(3)]
    for result in results:
        np.testing.assert_allclose(result.target, HERE, atol=1e-6)
    with pytest.raises(TargetNotFoundError, match="'red ball' for 3 cycles"):
        bench.plan()
    assert len(bench.planner.situations) == 3


def test_a_target_that_is_seen_again_was_never_lost() -> None:
    bench = Bench([ALL_HERE, NOTHING, NOTHING, ALL_HERE, NOTHING, NOTHING], max_missed_cycles=2)
    for _ in range(6):
        bench.plan()
    assert bench.task.memory.missed == 2


def test_a_target_that_moves_a_little_is_followed_smoothly() -> None:
    bench = Bench([ALL_HERE, (NEAR,) * VIEWS])
    bench.plan()
    np.testing.assert_allclose(bench.plan().target, [0.5 + 0.6 * 0.04, 0.0, 0.03], atol=1e-6)


def test_a_target_that_most_views_show_elsewhere_has_moved() -> None:
    bench = Bench([ALL_HERE, (THERE, THERE, HERE)])
    bench.plan()
    np.testing.assert_allclose(bench.plan().target, THERE, atol=1e-3)


def test_one_view_alone_does_not_move_a_target() -> None:
    # Three places, each seen by one view: none has most of the evidence.
    bench = Bench([ALL_HERE, (THERE, (0.3, -0.3, 0.03), (0.7, -0.3, 0.03))])
    bench.plan()
    result = bench.plan()
    np.testing.assert_allclose(result.target, HERE, atol=1e-6)
    assert bench.task.memory.missed == 0


# The motion that the arm is committed to


def motion(seen: Sequence[Observation], speed_m_s: float) -> CommittedMotion:
    """Along x from the last look on, for 0.8 s."""
    times = seen[-1].stamp_s + np.array([0.0, 0.2, 0.4, 0.6, 0.8])
    along = speed_m_s * (times - times[0])[:, None] * np.array([1.0, 0.0, 0.0])
    turns = np.tile(seen[-1].quaternion, (5, 1))
    return CommittedMotion(times, seen[-1].position + along, turns, np.full(5, 0.3))


def test_a_plan_starts_where_the_committed_motion_will_be() -> None:
    bench, seen = Bench([ALL_HERE], committed_frames=2), looks()
    result = bench.plan(seen, motion(seen, 0.1))
    start = bench.planner.situations[0].start
    expected = torch.as_tensor(seen[-1].position).float() + torch.tensor([0.04, 0.0, 0.0])
    torch.testing.assert_close(start.position, expected)
    torch.testing.assert_close(start.velocity, torch.tensor([0.1, 0.0, 0.0]), atol=1e-5, rtol=0)
    assert start.closedness == pytest.approx(0.3)
    assert bench.planner.situations[0].closedness == start.closedness
    assert result.start_s == pytest.approx(seen[-1].stamp_s + 0.4)
    assert (len(bench.model.imagined), bench.model.advanced) == (1, [2])
    assert bool((bench.planner.situations[0].context.latents == 1).all())  # the imagined past


@pytest.mark.parametrize(
    ('speed_m_s', 'frames'), [(0.0, 2), (0.1, 0)], ids=['rests', 'no_hand_over']
)
def test_an_arm_that_is_committed_to_nothing_is_planned_from_where_it_is(
    speed_m_s: float, frames: int
) -> None:
    bench, seen = Bench([ALL_HERE], committed_frames=frames), looks()
    bench.plan(seen, motion(seen, speed_m_s))
    start = bench.planner.situations[0].start
    torch.testing.assert_close(start.position, torch.as_tensor(seen[-1].position).float())
    assert not start.velocity.any()
    assert not bench.model.imagined


# The end


def test_over_the_target_the_arm_stays_and_the_task_is_done() -> None:
    bench = Bench([ALL_HERE])
    result = bench.plan(over(HERE))
    assert result.done
    assert not bench.planner.situations
    assert (result.scores, result.terms) == ([0.0], {})
    assert float(result.chunk.position[0].std(0).max()) == pytest.approx(0.0, abs=1e-6)
    assert result.distance_m == pytest.approx(0.0, abs=1e-5)


def test_a_task_is_not_done_while_the_arm_moves() -> None:
    bench = Bench([ALL_HERE])
    assert not bench.plan(over(HERE, moving=True)).done
    assert bench.plan(over(HERE)).done


def test_over_a_target_that_has_moved_away_the_task_goes_on() -> None:
    bench = Bench([ALL_HERE, (THERE,) * VIEWS])
    assert bench.plan(over(HERE)).done
    result = bench.plan(over(HERE))
    assert not result.done
    assert len(bench.planner.situations) == 1
    assert result.distance_m == pytest.approx(0.3, abs=1e-5)


# What a cycle hands on


def test_every_cycle_has_a_number_and_a_seed_of_its_own() -> None:
    bench = Bench([ALL_HERE], seed=3)
    assert [bench.plan().cycle for _ in range(3)] == [0, 1, 2]
    seeds = [situation.seed for situation in bench.planner.situations]
    assert seeds == [3 * SEEDS_APART + cycle for cycle in range(3)]


def test_the_novelty_of_the_scene_is_reported_beside_the_terms() -> None:
    novelty: Any = SimpleNamespace(score=lambda latents, _: torch.full((len(latents),), 2.5))
    assert Bench([ALL_HERE], Heads(novelty=novelty)).plan().terms == {'known': 1.0, 'novelty': 2.5}
    assert Bench([ALL_HERE]).plan().terms == {'known': 1.0}


def test_one_look_of_the_image_tower_serves_the_target_too() -> None:
    tower: Any = TinyScorer()
    bench = Bench([ALL_HERE], Heads(tower=tower))
    bench.plan()
    (maps,) = bench.locator.maps
    assert maps.shape[:2] == (1, VIEWS)
    without = Bench([ALL_HERE])
    without.plan()
    assert without.locator.maps == [None]


def test_without_any_observation_nothing_is_planned() -> None:
    with pytest.raises(ObservationError, match='no observation'):
        Bench([ALL_HERE]).plan([])
