# SPDX-License-Identifier: Apache-2.0
"""What is asked in an episode: a target, a bowl and distractors, from a seed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from vidplan_core.errors import ConfigError
from vidplan_eval.suites.pick_place.names import TASKS
from vidplan_sim.objects.catalogue import kind_named
from vidplan_sim.scene import MAX_OBJECTS, ObjectPlacement, Scene, random_scene

MOST_DISTRACTORS = MAX_OBJECTS - 1


@dataclass(frozen=True)
class PickPlaceEpisode:
    """One scene and what is to be put into its bowl.

    Attributes:
        seed: of the scene.
        task: key of `TASKS`.
        kind: of the target, a key of the ground truth.
        instruction: that the planner is given.
        scene: what the cell is set up with; the target comes first.
    """

    seed: int
    task: str
    kind: str
    instruction: str
    scene: Scene

    @property
    def distractors(self) -> tuple[str, ...]:
        """Kinds of the other objects, the bowl left out."""
        return tuple(placed.kind for placed in self.scene.objects if placed.kind != self.kind)


def pick_place_episode(task: str, seed: int, distractors: int) -> PickPlaceEpisode:
    """The episode of a seed.

    A seed stands target, bowl, arm, light and cameras in the same places for every task and every
    number of distractors; one more distractor is added to those before, so that comparisons over
    tasks, methods and clutter are pairs.

    Raises:
        ConfigError: no such task, or an impossible number of distractors.
    """
    if task not in TASKS:
        raise ConfigError(f"no bowl task is named '{task}'; known: {', '.join(TASKS)}")
    if not 0 <= distractors <= MOST_DISTRACTORS:
        raise ConfigError(f'distractors is {distractors}; allowed: 0 to {MOST_DISTRACTORS}')
    full, kind = random_scene(seed, count=MAX_OBJECTS), TASKS[task]
    placed = _with_first(full.objects, kind)[: 1 + distractors]
    words = f'put the {kind_named(kind).noun} in the bowl'
    return PickPlaceEpisode(seed, task, kind, words, replace(full, objects=placed))


def _with_first(
    placed: tuple[ObjectPlacement, ...], kind: str
) -> tuple[ObjectPlacement, ...]:
    """The placements with a kind on the first place; where it stood, the first one's stands."""
    before = placed[0].kind
    others = (
        replace(other, kind=before) if other.kind == kind else other for other in placed[1:]
    )
    return (replace(placed[0], kind=kind), *others)
