# SPDX-License-Identifier: Apache-2.0
"""What proposal sources, terms and task kinds are built from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.geometry.robot import RobotModel
from vidplan_core.geometry.robot_files import default_robot
from vidplan_core.geometry.workspace import PLANNING_BOX, WorkspaceBox
from vidplan_core.heads.bundle import Heads
from vidplan_core.heads.heat_map import colour_latents
from vidplan_core.heads.policy.network import ChunkPolicy
from vidplan_core.planner.config import PlannerConfig
from vidplan_core.planner.dynamics import WorldModelDynamics
from vidplan_core.planner.target.locating import TargetLocator
from vidplan_core.policy_server.client import PolicyClient
from vidplan_core.world_model.context import Context
from vidplan_core.world_model.dynamics_adapter import DynamicsAdapter
from vidplan_core.world_model.world_model import Imagination, WorldModel


@dataclass(frozen=True, eq=False)
class ServerLink:
    """A policy server, and how the arm follows its commands; None where nobody knows."""

    client: PolicyClient
    adapter: DynamicsAdapter | None = None


@dataclass(frozen=True, eq=False)
class PlannerParts:
    """The loaded models and how to plan with them.

    Attributes:
        config: every knob.
        world_model: imagines.
        locator: finds the target in views.
        heads: judge imaginations; any may be absent.
        device: where the models compute.
        robot: whose limits motions keep to and whose tool is brought to targets.
        policy: proposes motions that handle things; None where there is none.
        server: a policy elsewhere; None where the configuration names none.
    """

    config: PlannerConfig
    world_model: WorldModel
    locator: TargetLocator
    heads: Heads
    device: torch.device
    robot: RobotModel = field(default_factory=default_robot)
    policy: ChunkPolicy | None = None
    server: ServerLink | None = None

    def imagine(self, context: Context, chunk: PoseChunk) -> Imagination:
        """Imagine chunks (candidates, frames) as in every cycle."""
        config = self.config
        return self.world_model.imagine(context, chunk, config.sampling, config.seed)

    @property
    def dynamics(self) -> WorldModelDynamics:
        """The world model as it imagines in every cycle."""
        return WorldModelDynamics(self.world_model, self.config.sampling, self.config.seed)

    @property
    def refining(self) -> WorldModelDynamics | None:
        """The world model as it imagines in refinement; None where that is the same."""
        sampling = self.config.refine_sampling
        if sampling == self.config.sampling:
            return None
        return WorldModelDynamics(self.world_model, sampling, self.config.seed)

    @cached_property
    def heat_colours(self) -> Tensor:
        """What heat maps are mixed from, as `colour_latents`."""
        return colour_latents(self.world_model)

    @property
    def box(self) -> WorkspaceBox:
        """Where the tool may go; its floor is where the tool rests over a target."""
        config = self.config
        x, y, floor = PLANNING_BOX.lower
        lower = (x, y, max(floor, config.target_height_m + config.standoff_m))
        return WorkspaceBox(lower, PLANNING_BOX.upper)

    def blind(self) -> PlannerParts:
        """The same without anything that looks at imagined frames."""
        return replace(self, heads=Heads(relevancy=self.heads.relevancy))
