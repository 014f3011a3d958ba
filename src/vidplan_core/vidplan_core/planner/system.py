# SPDX-License-Identifier: Apache-2.0
"""Everything between observations and a plan, for the node and for offline evaluation alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vidplan_core.control.commands import CommittedMotion
from vidplan_core.data.action import PoseChunk
from vidplan_core.data.observation import Observation
from vidplan_core.geometry.camera import Camera, load_cameras
from vidplan_core.geometry.robot import RobotModel
from vidplan_core.geometry.robot_files import default_robot
from vidplan_core.heads.bundle import Heads, load_heads
from vidplan_core.heads.policy.files import FOLDER as POLICY_FOLDER
from vidplan_core.heads.policy.files import check_policy, load_policy
from vidplan_core.heads.policy.network import ChunkPolicy
from vidplan_core.language.instruction import REACH
from vidplan_core.language.semantic import SemanticScorer
from vidplan_core.models.manifest import check_manifest
from vidplan_core.planner.compositions import compose
from vidplan_core.planner.config import SERVER, PlannerConfig
from vidplan_core.planner.interfaces import Score, Situation
from vidplan_core.planner.motion.commands import find_adapter
from vidplan_core.planner.objective.objective import TermObjective
from vidplan_core.planner.parts import PlannerParts, ServerLink
from vidplan_core.planner.planner import Planner
from vidplan_core.planner.plans.pictures import decoded, imagined_pictures
from vidplan_core.planner.plans.result import Pictures, PlanResult, Task
from vidplan_core.planner.session import Session
from vidplan_core.planner.target.locating import TargetLocator
from vidplan_core.planner.tasks.kinds import build_kinds, read_instruction
from vidplan_core.policy_server.client import PolicyClient
from vidplan_core.world_model.checkpoint import (
    compile_networks,
    load_world_model,
    set_precision,
    to_channels_last,
)
from vidplan_core.world_model.context import Context
from vidplan_core.world_model.world_model import WorldModel

# The models' policy that stands in for a server.
OWN_BASE = 'grounded'


def link_to_server(
    config: PlannerConfig, models: Path | None = None, device: torch.device | None = None
) -> ServerLink:
    """The policy server of a configuration; nothing is connected yet.

    Raises:
        ModelError: its dynamics adapter is missing or corrupt.
    """
    adapter = find_adapter(config.policy_server.adapter, models)
    if adapter is not None and device is not None:
        adapter = adapter.to(device)
    return ServerLink(PolicyClient(config.policy_server), adapter)


class PlanningSystem:
    """World model, scorer and planner, loaded once."""

    def __init__(
        self,
        world_model: WorldModel,
        scorer: SemanticScorer,
        cameras: dict[str, Camera],
        config: PlannerConfig,
        device: torch.device,
        heads: Heads | None = None,
        robot: RobotModel | None = None,
        policy: ChunkPolicy | None = None,
        server: ServerLink | None = None,
    ) -> None:
        """Compose what plans every kind of task that these models can do with a robot.

        The robot is `default_robot` if none is given.

        Raises:
            ConfigError: a value that does not fit these models, or an unknown source or term.
        """
        config.check_frames(world_model.config.frames)
        self.world_model, self.scorer, self.cameras = world_model, scorer, cameras
        heads = Heads() if heads is None else heads
        locator = TargetLocator(
            scorer, scorer.config.threshold, cameras, config.target_height_m,
            exact=heads.see_imaginations,
        )  # fmt: skip
        if server is None and config.asks_server:
            server = link_to_server(config)
        self.parts = PlannerParts(
            config, world_model, locator, heads, device, robot or default_robot(), policy, server
        )
        composed = ((kind, compose(kind, self.parts)) for kind in build_kinds(self.parts).values())
        compositions = {kind.verb: found for kind, found in composed if found is not None}
        self.kinds = {verb: found.kind for verb, found in compositions.items()}
        self.session = Session(self.parts, compositions)

    @staticmethod
    def load(
        models: Path,
        config: PlannerConfig | None = None,
        device: str = 'cpu',
        robot: RobotModel | None = None,
    ) -> PlanningSystem:
        """Load a models folder: autoencoder/, world_model/, semantic/ and cameras.json.

        Its heads, uncertainty/ and value/, and its policies are used where they are there.

        Raises:
            ModelError: a file is missing, corrupt, does not fit, or is not what `manifest.json`
                says.
            ConfigError: as for a system of loaded models.
        """
        check_manifest(models)
        world_model = load_world_model(models, device)
        chosen = config or PlannerConfig()
        set_precision(world_model, chosen.precision)
        if chosen.channels_last:
            to_channels_last(world_model)
        if chosen.compile:
            compile_networks(world_model)
        cameras = load_cameras(models / 'cameras.json', world_model.config.views)
        scorer = SemanticScorer.load(models / 'semantic', device=device)
        heads = load_heads(
            models, world_model, scorer, conformal=chosen.conformal, device=device, robot=robot
        )
        where = torch.device(device)
        policy = None
        base = OWN_BASE if chosen.base == SERVER else chosen.base
        if (folder := models / POLICY_FOLDER / base).is_dir():
            policy = load_policy(folder, device)
            check_policy(policy, world_model.config, world_model.mean.shape[2], scorer)
        server = link_to_server(chosen, models, where) if chosen.asks_server else None
        return PlanningSystem(
            world_model, scorer, cameras, chosen, where, heads, robot, policy, server
        )

    @property
    def config(self) -> PlannerConfig:
        """How it plans."""
        return self.parts.config

    @property
    def device(self) -> torch.device:
        """Where the models compute."""
        return self.parts.device

    @property
    def heads(self) -> Heads:
        """What the models have of heads."""
        return self.parts.heads

    def planner(self, verb: str = REACH) -> Planner:
        """What plans one kind of task."""
        return self.session.compositions[verb].planner

    def with_world_model(self, model: WorldModel) -> PlanningSystem:
        """The same system with another world model."""
        parts = self.parts
        return PlanningSystem(
            model, self.scorer, self.cameras, parts.config, parts.device, parts.heads,
            parts.robot, parts.policy, parts.server,
        )  # fmt: skip

    def new_task(self, instruction: str, target: str = '') -> Task:
        """Start following an instruction; `target` overrides the phrase to look for.

        Raises:
            InstructionError: the words are not understood, or ask for what these models cannot
                do; the message says what they can.
        """
        return Task(read_instruction(self.kinds, instruction, target))

    def plan(
        self,
        task: Task,
        history: Sequence[Observation],
        committed: CommittedMotion | None = None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> PlanResult:
        """Plan one cycle of a task from `new_task`; see `Session.plan`."""
        return self.session.plan(task, history, committed, should_stop)

    def situation(
        self,
        task: Task,
        history: Sequence[Observation],
        committed: CommittedMotion | None = None,
    ) -> Situation:
        """Look, and imagine where a plan would start; see `Session.plan`."""
        return self.session.situation(task, history, committed)

    @torch.no_grad()
    def score_pictures(self, situation: Situation, poses: PoseChunk, images: Tensor) -> Score:
        """What pictures are worth that really came; see `TermObjective.score_pictures`."""
        return TermObjective.build(self.parts).score_pictures(situation, poses, images)

    def pictures(self, latents: Tensor | None) -> np.ndarray:
        """Decode imagined latents (1, frames, ...) to uint8 (frames, views*height, width, 3)."""
        return decoded(self.world_model, latents)

    def imagined_pictures(self, context: Context, chunk: PoseChunk) -> Pictures:
        """Imagine a chunk (1, frames) and draw its new frames and their uncertainty."""
        return imagined_pictures(self.parts, context, chunk)
