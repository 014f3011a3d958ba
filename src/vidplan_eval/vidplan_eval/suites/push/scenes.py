# SPDX-License-Identifier: Apache-2.0
"""What is asked in an episode: what to push where, and what stands beside it, from a seed."""

from __future__ import annotations

from dataclasses import dataclass

from vidplan_core.errors import ConfigError
from vidplan_core.language.instruction import WAYS
from vidplan_sim.objects.catalogue import kind_named
from vidplan_sim.push_scenes import MOST_DISTRACTORS, push_scene
from vidplan_sim.scene import Scene


@dataclass(frozen=True)
class PushEpisode:
    """One scene and what is to be pushed in it.

    Attributes:
        seed: of the scene.
        scene: what the cell is set up with; the target comes first.
        way: in which it is to be pushed, a key of `WAYS`.
        instruction: that the planner is given.
    """

    seed: int
    scene: Scene
    way: str
    instruction: str

    @property
    def kind(self) -> str:
        """Of the target, a key of the ground truth."""
        return self.scene.objects[0].kind

    @property
    def distractors(self) -> tuple[str, ...]:
        """Kinds of the other objects, the bowl left out."""
        return tuple(placed.kind for placed in self.scene.objects[1:])


def push_episode(seed: int, distractors: int) -> PushEpisode:
    """The episode of a seed; distractors are added to those of fewer.

    Raises:
        ConfigError: an impossible number of distractors.
    """
    if not 0 <= distractors <= MOST_DISTRACTORS:
        raise ConfigError(f'distractors is {distractors}; allowed: 0 to {MOST_DISTRACTORS}')
    found = push_scene(seed, distractors)
    noun = kind_named(found.scene.objects[0].kind).noun
    return PushEpisode(seed, found.scene, found.way, f'push the {noun} {WAYS[found.way]}')
