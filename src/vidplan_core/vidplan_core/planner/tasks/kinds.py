# SPDX-License-Identifier: Apache-2.0
"""Task kinds by verb; an instruction whose kind the loaded models cannot do is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from vidplan_core.errors import InstructionError
from vidplan_core.language.instruction import (
    FOLD,
    REACH,
    Instruction,
    noun_phrase,
    parse_instruction,
)
from vidplan_core.planner.parts import PlannerParts
from vidplan_core.planner.tasks.fold import Folding
from vidplan_core.planner.tasks.handling import Picking, Placing
from vidplan_core.planner.tasks.push import Pushing
from vidplan_core.planner.tasks.reach import Reach
from vidplan_core.planner.tasks.task_kind import TaskKind
from vidplan_core.registry import Registry

KINDS: Registry[type[TaskKind]] = Registry(
    'task kind', {kind.verb: kind for kind in (Reach, Picking, Placing, Folding, Pushing)}
)


def build_kinds(parts: PlannerParts) -> dict[str, TaskKind]:
    """What these models can do, by verb."""
    built = {verb: KINDS.find(verb).build(parts) for verb in KINDS}
    return {verb: kind for verb, kind in built.items() if kind is not None}


def read_instruction(
    kinds: Mapping[str, TaskKind], words: str, target: str = ''
) -> Instruction:
    """Parse the words of a goal, once; a `target` is looked for in place of the parsed one.

    Raises:
        InstructionError: the words are not understood, or ask for what these kinds cannot do; the
            message says what they can.
    """
    examples = [kind.example for kind in kinds.values()]
    name = noun_phrase(target, examples=examples) if target.strip() else ''
    if name and not words.strip():
        return Instruction(REACH, name, words=f'move to the {name}')
    parsed = parse_instruction(words, examples=examples)
    if parsed.verb not in kinds:
        can = ', '.join(f"{verb} ('{kind.example}')" for verb, kind in kinds.items())
        raise InstructionError(
            f"'{words.strip()}' asks to {parsed.verb}, which the loaded models cannot do; they "
            f'can {can}'
        )
    if parsed.verb == FOLD and parsed.by_place:
        raise InstructionError(
            f"'{words.strip()}' chooses among cloths by place; one at a time is found: leave one "
            "on the table, or name its colour, for example 'fold the blue towel'"
        )
    return replace(parsed, target=name or parsed.target)
