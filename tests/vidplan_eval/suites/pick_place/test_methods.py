# SPDX-License-Identifier: Apache-2.0
"""Methods of the evaluation: the rule with two kinds of knowledge, and the oracle's choice."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.fakes.fake_world import FakeWorld, OracleSystem
from vidplan_core.data.observation import Observation
from vidplan_core.errors import TargetNotFoundError
from vidplan_core.geometry.camera_files import default_layout
from vidplan_core.planner.target.locating import Sighting
from vidplan_eval.lockstep import DONE, LockStep, Pace
from vidplan_eval.suites.judging.judged import GRACE_S
from vidplan_eval.suites.judging.rule import rule_chunk
from vidplan_eval.suites.pick_place.episode import run_pick_place
from vidplan_eval.suites.pick_place.methods import Expert
from vidplan_eval.suites.pick_place.oracle import REFUSED_FRAMES, BranchWorth, OraclePlanner
from vidplan_eval.suites.pick_place.scenes import pick_place_episode
from vidplan_eval.suites.pick_place.sights import FirstSight, Looker, TrueSight
from vidplan_eval.world import World
from vidplan_sim.cell import Cell
from vidplan_sim.expert.decision import PLACE, Decision, PickPlaceTask
from vidplan_sim.expert.rule import decide

SEED = 800_000
PACE = Pace(2, limit_s=18.0)


@pytest.fixture(scope='module')
def world():
    world = World(Cell(48, 80), default_layout().resized(24, 40), 0.2)
    yield world
    world.cell.close()


def test_the_expert_puts_a_carrot_into_the_bowl(world):
    row, run = run_pick_place(Expert(PACE), world, pick_place_episode('carrot', SEED, 2))
    assert (row.success, row.kept, row.ended, row.failure) == (True, True, DONE, '')
    assert (row.lifted_named, row.first_lifted, row.done_rightly) == (True, 'carrot', True)
    assert row.placed_s is not None
    assert 4.0 < row.placed_s < 14.0
    assert run.log.seed == SEED
    assert row.rejected == row.late_plans == 0
    assert row.error == ''


def test_a_method_that_breaks_costs_its_own_episode_only(world):
    def broken(*_):
        raise ZeroDivisionError('oops')

    method = SimpleNamespace(follow=broken)
    row, run = run_pick_place(method, world, pick_place_episode('pea', SEED, 0))
    assert (row.success, row.ended, row.failure, run) == (False, 'CRASH', 'crashed', None)
    assert 'oops' in row.error
    world.watch()  # nobody watches any more


def test_whoever_does_not_say_done_is_watched_no_longer_than_needed(world):
    """A method that does all, and goes on for ever."""

    class Endless:
        def follow(self, world, episode, enough):
            run = Expert(PACE).follow(world, episode, enough)
            while not enough() and world.now_s < 40.0:
                world.advance_to(world.now_s + 0.4)
            run.reason = 'WATCHED_ENOUGH'
            return run

    row, _ = run_pick_place(Endless(), world, pick_place_episode('carrot', SEED, 0))
    assert (row.success, row.done, row.ended) == (True, False, 'WATCHED_ENOUGH')
    assert world.now_s < row.placed_s + GRACE_S + 2.0


def test_a_branch_leaves_the_world_as_it_is(world):
    episode = pick_place_episode('fish', SEED, 1)
    world.reset(episode.scene)
    worth = BranchWorth(world, Cell(48, 80), 'fish')
    view = TrueSight(world.cell, 'fish').view(world.observe())
    away = Decision(np.array([0.0, 0.0, 0.1]), 0.0, 0.0)
    best, _ = decide(view, PickPlaceTask(PLACE, 'fish'))
    before = world.cell.save().physics
    chunks = [rule_chunk(world.committed(), each, 0.2) for each in (away, best)]
    frames = [worth.frames(chunk, world.now_s, world.now_s) for chunk in chunks]
    assert frames[1] < frames[0] < REFUSED_FRAMES
    assert np.array_equal(world.cell.save().physics, before)
    far = rule_chunk(world.committed(), Decision(np.array([2.0, 0.0, 0.0]), 0.0, 0.0), 0.2)
    assert worth.frames(far, world.now_s, world.now_s) == REFUSED_FRAMES


class ToldWorth:
    """Frames by the order of the candidates."""

    def __init__(self, frames):
        self.frames_to_go, self.asked = frames, []

    def frames(self, chunk, observed_s, start_s):
        self.asked.append((observed_s, start_s))
        return self.frames_to_go[(len(self.asked) - 1) % len(self.frames_to_go)]


@pytest.mark.parametrize(
    ('frames', 'best'),
    [([9, 9, 3, 9, 9, 9], 2), ([9, 4, 9, 9, 4, 9], 1)],
    ids=['the fewest frames', 'of equals the better score'],
)
def test_the_oracle_takes_what_turns_out_best(frames, best):
    worth = ToldWorth(frames)
    planner = OraclePlanner(OracleSystem(np.array([0.5, 0.1, 0.35])), worth)
    world = FakeWorld()
    history = [world.observe()]
    task = planner.new_task('move to the carrot')
    plan = planner.plan(task, history, world.committed(), lambda: False)
    assert (plan.best, plan.score, plan.terms) == (best, -float(best), {'frames_to_go': 4 - (
        frames[best] == 3)})  # fmt: skip
    assert worth.asked == [(0.0, plan.start_s)] * 6


def test_the_oracle_asks_nobody_when_the_planner_is_done():
    goal = np.array([0.4, -0.1, 0.4])
    worth, world = ToldWorth([1]), FakeWorld()
    loop = LockStep(OraclePlanner(OracleSystem(goal), worth), world, PACE)
    assert loop.follow('move to the carrot').reason == DONE
    assert not worth.asked


class ToldLocator:
    """Sees a phrase where it is told, surely or not at all."""

    threshold = 0.6
    trust_m = torch.full((3,), 0.01)

    def __init__(self, **places):
        self.places = {name.replace('_', ' '): place for name, place in places.items()}
        self.shapes = []

    def look(self, images, position, rotation, phrase):
        self.shapes.append(tuple(images.shape))
        seen = phrase in self.places
        points = torch.tensor(self.places.get(phrase, (0.0, 0.0, 0.0))).expand(1, 3, 3)
        certainty = torch.full((1, 3), 0.9 if seen else 0.1)
        return Sighting(
            points,
            certainty,
            certainty,
            torch.zeros(1, 3, 2, 2),
            torch.full((1, 3, 2), 0.5),
        )


def seen(time_s: float, height_m: float = 0.4) -> Observation:
    """Nothing in the picture, the hand pointing down."""
    image, zeros = np.zeros((6, 4, 3), np.uint8), np.zeros(7)
    place, down = np.array([0.4, 0.0, height_m]), np.array([1.0, 0.0, 0.0, 0.0])
    return Observation(time_s, image, zeros, zeros, 0.0, place, down)


def first_sight(locator: ToldLocator) -> FirstSight:
    return FirstSight(Looker(locator, default_layout()), 'fish')


def test_first_sight_looks_once_and_believes_in_its_hand():
    locator = ToldLocator(fish=(0.5, 0.1, 0.03), bowl=(0.4, -0.1, 0.03))
    sight = first_sight(locator)
    view = sight.view(seen(0.0))
    assert view.target == pytest.approx([0.5, 0.1, 0.03])
    assert view.grasp == pytest.approx([0.5, 0.1, 0.02])
    assert view.bowl == pytest.approx([0.4, -0.1, 0.03])
    assert not view.held
    sight.decided(Decision(np.zeros(3), 0.0, 1.0), 0.0)
    assert sight.view(seen(0.4)).closing
    held = sight.view(seen(0.8))
    assert held.held
    assert held.target == pytest.approx(held.tool)
    sight.decided(Decision(np.zeros(3), 0.0, 0.0), 0.8)
    dropped = sight.view(seen(1.2))
    assert not dropped.held
    assert dropped.target == pytest.approx([*held.tool[:2], 0.04])
    assert locator.shapes == [(1, 3, 3, 2, 4)] * 2


def test_first_sight_names_what_it_does_not_see():
    sight = first_sight(ToldLocator(bowl=(0.4, -0.1, 0.03)))
    with pytest.raises(TargetNotFoundError, match="no view shows 'fish'.*0.10, needed 0.60"):
        sight.view(seen(0.0))
