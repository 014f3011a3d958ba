# SPDX-License-Identifier: Apache-2.0
"""Write a term; `weights: {my_package.my_module:StayHigh: 5.0}` in YAML is all it needs."""

from scene.load import MODELS, load_observations
from torch import Tensor

from vidplan_core.planner.config import PlannerConfig
from vidplan_core.planner.objective.frames import ScoredFrames
from vidplan_core.planner.objective.term import Term
from vidplan_core.planner.system import PlanningSystem


class StayHigh(Term):
    """Height of the tool above the table, m: more is better."""

    def evidence(self, frames: ScoredFrames) -> Tensor:
        """Height at every scored frame, (batch,)."""
        return frames.tool[:, 2]

    def prior(self, frames: ScoredFrames) -> Tensor:
        """The same: the arm's poses are known without imagining anything."""
        return self.evidence(frames)


if __name__ == '__main__':
    weights = {**PlannerConfig().weights, '__main__:StayHigh': 5.0}
    system = PlanningSystem.load(MODELS, PlannerConfig(weights=weights))
    print(system.plan(system.new_task('move to the lemon'), load_observations()).terms)
