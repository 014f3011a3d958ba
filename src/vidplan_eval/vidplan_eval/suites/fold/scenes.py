# SPDX-License-Identifier: Apache-2.0
"""What is asked in an episode: a towel and what lies beside it, from a seed."""

from __future__ import annotations

from dataclasses import dataclass

from vidplan_core.errors import ConfigError
from vidplan_eval.suites.fold.names import INSTRUCTION
from vidplan_sim.scene import Scene
from vidplan_sim.towel_scenes import MOST_DISTRACTORS, towel_scene


@dataclass(frozen=True)
class FoldEpisode:
    """One scene with a towel that is to be folded.

    Attributes:
        seed: of the scene.
        scene: what the cell is set up with.
        instruction: that the planner is given.
    """

    seed: int
    scene: Scene
    instruction: str = INSTRUCTION

    @property
    def distractors(self) -> tuple[str, ...]:
        """Kinds of the other objects, the bowl left out."""
        return tuple(placed.kind for placed in self.scene.objects)


def fold_episode(seed: int, distractors: int) -> FoldEpisode:
    """The episode of a seed; distractors are added to those of fewer.

    Raises:
        ConfigError: an impossible number of distractors.
    """
    if not 0 <= distractors <= MOST_DISTRACTORS:
        raise ConfigError(f'distractors is {distractors}; allowed: 0 to {MOST_DISTRACTORS}')
    return FoldEpisode(seed, towel_scene(seed, distractors))
