# SPDX-License-Identifier: Apache-2.0
"""What was done, in words: 'put the carrot in the bowl', of an instruction that succeeded."""

from __future__ import annotations

import re

from vidplan_core.errors import InstructionError
from vidplan_core.language.instruction import (
    FOLD,
    PICK,
    PLACE,
    PUSH,
    REACH,
    WAYS,
    Instruction,
    parse_instruction,
)

# By verb, the past tense that stands before the target.
DEEDS = {REACH: 'moved to', PICK: 'picked up', PLACE: 'put', FOLD: 'folded', PUSH: 'pushed'}
_RELATION = re.compile(r'\b(?:inside|into|in|onto|on|to)\b')


def deed_words(words: str, target: str = '') -> str:
    """Return what a success of the instruction `words` has done, past tense, no full stop.

    Args:
        words: of the goal; '' for a goal that only named a `target`, which is a reach.
        target: what was looked for; '' for the instruction's own.
    """
    if not words.strip():
        return f'{DEEDS[REACH]} the {target}' if target else ''
    try:
        instruction = parse_instruction(words)
    except InstructionError:  # a recording's title need not be an instruction
        return ''
    return f'{DEEDS[instruction.verb]} the {target or instruction.target}{_place(instruction)}'


def _place(instruction: Instruction) -> str:
    """Where to, with the relation that the instruction has before its destination."""
    if instruction.way is not None:
        return f' {WAYS[instruction.way]}'
    if instruction.destination is None:
        return ''
    before = instruction.words.lower().rpartition(instruction.destination)[0]
    said = _RELATION.findall(before) or ['in']
    return f' {said[-1]} the {instruction.destination}'
