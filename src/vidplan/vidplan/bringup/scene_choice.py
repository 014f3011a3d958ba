# SPDX-License-Identifier: Apache-2.0
"""A scene of the simulated cell in which an instruction makes sense."""

from __future__ import annotations

from dataclasses import dataclass

from vidplan_core.language.instruction import FOLD, PLACE, REACH, parse_instruction

FIRST_EVALUATION_SEED = 1_000_000
OBJECTS = 4
# Kind of the cell's cloth; its own module loads MuJoCo, which no wrong call should wait for.
CLOTH = 'towel'
# Four of some fourteen kinds stand in each scene: a named one is there after a few seeds.
_SEEDS = 100


@dataclass(frozen=True)
class SceneChoice:
    """A scene of the cell.

    Attributes:
        seed: of the scene.
        kind: of the object in it that is meant; '' if the cell has none of the kind.
        towel: whether a towel of cloth lies there.
    """

    seed: int
    kind: str
    towel: bool = False


def choose_scene(
    instruction: str,
    target: str = '',
    seed: int | None = None,
    *,
    first: int = FIRST_EVALUATION_SEED,
    objects: int = OBJECTS,
) -> SceneChoice:
    """Return the scene for an instruction: the given seed, or the first that shows the target.

    What is to be folded is cloth, which lies in a scene of any seed that is asked for it.

    A phrase that no kind of object fits gets the first scene all the same: that the planner does
    not find it is for the planner to say.

    Raises:
        InstructionError: no phrase to look for.
    """
    from vidplan_sim.scene import random_scene

    name = target.strip().lower()
    if instruction.strip() or not name:
        asked = parse_instruction(instruction)
        if asked.verb == FOLD:
            return SceneChoice(first if seed is None else seed, CLOTH, towel=True)
        name = name or asked.target
    kind = kind_of(name)
    if seed is not None or not kind:
        return SceneChoice(first if seed is None else seed, kind)
    for candidate in range(first, first + _SEEDS):
        scene = random_scene(candidate, objects)
        if kind == 'bowl' or any(placement.kind == kind for placement in scene.objects):
            return SceneChoice(candidate, kind)
    return SceneChoice(first, kind)


def judged_as(instruction: str) -> tuple[str, str]:
    """Return the verb by which the cell's truth judges the end, '' where it cannot, and the way.

    Raises:
        InstructionError: words that are no instruction; none, for a mere target, is a reach.
    """
    if not instruction.strip():
        return REACH, ''
    asked = parse_instruction(instruction)
    elsewhere = asked.verb == PLACE and kind_of(asked.destination or '') != 'bowl'
    return '' if elsewhere else asked.verb, asked.way or ''


def kind_of(phrase: str) -> str:
    """Return the kind of object that a phrase means, '' if none or several fit."""
    from vidplan_sim.objects.everyday import BOWL, KINDS

    kinds = (*KINDS, BOWL)
    exact = [kind.name for kind in kinds if phrase in (kind.name, kind.noun, *kind.phrases)]
    if exact:
        return exact[0]
    words = set(phrase.split())
    inside = [kind.name for kind in kinds if set(kind.noun.split()) <= words]
    return inside[0] if len(inside) == 1 else ''
