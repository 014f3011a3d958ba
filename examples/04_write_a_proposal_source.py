# SPDX-License-Identifier: Apache-2.0
"""Write a proposal source; `proposals: [my_package.my_module:Circle]` in YAML is all it needs."""

import torch
from scene.load import MODELS, load_observations

from vidplan_core.data.action import PoseChunk
from vidplan_core.planner.config import PlannerConfig
from vidplan_core.planner.interfaces import Situation
from vidplan_core.planner.motion.space import MotionSpace
from vidplan_core.planner.parts import PlannerParts
from vidplan_core.planner.system import PlanningSystem


class Circle:
    """Twelve level motions of 8 cm, all around."""

    def __init__(self, parts: PlannerParts) -> None:
        self.motions = MotionSpace.build(parts)

    def propose(self, situation: Situation) -> PoseChunk:
        """Candidates (12, frames)."""
        angle = torch.arange(12) * (torch.pi / 6)
        ways = torch.stack([angle.cos(), angle.sin(), 0 * angle], dim=-1).to(situation.goal)
        return self.motions.chunk(situation.start, 0.08 * ways, situation.closedness)


if __name__ == '__main__':
    system = PlanningSystem.load(MODELS, PlannerConfig(proposals=('__main__:Circle',)))
    print(system.plan(system.new_task('move to the lemon'), load_observations()).scores)
