# SPDX-License-Identifier: Apache-2.0
"""Task kinds: how goals are read, what is refused, when reaching is done."""

from __future__ import annotations

import re

import pytest
import torch

from tests.fakes.tiny import down
from tests.fakes.tiny_system import tiny_system
from vidplan_core.errors import InstructionError
from vidplan_core.geometry.fk import tcp_position
from vidplan_core.geometry.robot_files import load_robot
from vidplan_core.language.instruction import parse_instruction
from vidplan_core.planner.interfaces import Start
from vidplan_core.planner.system import PlanningSystem
from vidplan_core.planner.tasks.kinds import KINDS, read_instruction
from vidplan_core.planner.tasks.reach import Reach

REACH = Reach(standoff_m=0.06, reached_m=0.025, reached_height_m=0.03)


@pytest.fixture(scope='module')
def system():
    return tiny_system()


def test_a_goal_becomes_one_instruction(system) -> None:
    instruction = system.new_task('Move to the red carrot, please').instruction
    assert (instruction.verb, instruction.target) == ('reach', 'red carrot')
    assert instruction.words == 'Move to the red carrot, please'


def test_an_explicit_target_is_looked_for(system) -> None:
    named = system.new_task('move to the orange ball', 'The Carrot').instruction
    assert (named.target, named.words) == ('carrot', 'move to the orange ball')
    alone = system.new_task('', 'the carrot').instruction
    assert (alone.verb, alone.target, alone.words) == ('reach', 'carrot', 'move to the carrot')


REFUSED = ['pick up the carrot', 'put the carrot in the bowl', 'sing', 'put the mug', '', 'go up']


@pytest.mark.parametrize('words', REFUSED)
def test_a_refusal_names_what_can_be_done_and_nothing_else(system, words: str) -> None:
    with pytest.raises(InstructionError) as refusal:
        system.new_task(words)
    quoted = set(re.findall(r"'([^']+)'", str(refusal.value))) - {words}
    assert 'move to the carrot' in quoted
    for example in quoted:
        if len(example.split()) > 2:
            system.new_task(example)


def test_only_the_kinds_that_are_there_are_read() -> None:
    with pytest.raises(InstructionError, match='asks to reach'):
        read_instruction({'pick': REACH}, 'move to the carrot')


def test_a_fold_that_chooses_among_cloths_is_refused() -> None:
    with pytest.raises(InstructionError, match='chooses among cloths by place'):
        read_instruction({'fold': REACH}, 'fold the left towel')


@pytest.mark.parametrize('verb', list(KINDS))
def test_every_kind_is_found_by_the_verb_of_its_example(verb: str, system) -> None:
    kind = KINDS.find(verb)
    assert kind.verb == verb == parse_instruction(kind.example).verb
    # Without a policy nothing is picked up; cloth is folded, and things pushed, by what is seen.
    assert (verb in system.kinds) == (verb in ('reach', 'fold', 'push'))


def test_the_goal_lies_above_the_target_and_the_gripper_stays() -> None:
    torch.testing.assert_close(REACH.goal(torch.zeros(3)), torch.tensor([0.0, 0.0, 0.06]))


@pytest.mark.parametrize(
    ('away', 'done'),
    [
        ((0.0, 0.0, 0.0), True),
        ((0.02, 0.0, 0.02), True),
        ((0.03, 0.0, 0.0), False),
        ((0.0, 0.0, 0.04), False),
        ((0.0, 0.0, -0.04), True),  # lower than asked is near enough
    ],
)
def test_reaching_is_done_over_the_target(away: tuple[float, float, float], done: bool) -> None:
    position, rotation = torch.tensor([0.5, 0.0, 0.4]), down()
    target = tcp_position(position, rotation) - torch.tensor(away) - torch.tensor([0, 0, 0.06])
    assert REACH.done(position, rotation, target) is done


def test_the_robots_own_tool_is_brought_to_the_target(system) -> None:
    """A 2F-85 reaches 5 cm lower than the hand from the same flange; the planner is told so."""
    longer = load_robot('fr3_robotiq')
    parts = system.parts
    planning = PlanningSystem(
        system.world_model, system.scorer, system.cameras, parts.config, parts.device,
        parts.heads, longer,
    )  # fmt: skip
    flange, target = torch.tensor([0.5, 0.0, 0.25]), torch.tensor([0.5, 0.0, 0.03])
    hand, robotiq = system.kinds['reach'], planning.kinds['reach']
    assert not hand.done(flange, down(), target)
    assert robotiq.done(flange, down(), target)
    start = Start(flange, down(), torch.zeros(3), torch.tensor(longer.home), 0.0)
    deep = torch.tensor([[0.0, 0.0, -1.0]])
    end = planning.session.motions.chunk(start, deep)
    tool = tcp_position(end.position[0, -1], end.rotation[0, -1], longer)
    assert float(tool[2]) == pytest.approx(parts.box.lower[2], abs=1e-5)
