# SPDX-License-Identifier: Apache-2.0
"""Candidates around what a policy server answers; those of another source where it fails."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.errors import ConfigError, PolicyServerError
from vidplan_core.geometry.fk import flange_pose
from vidplan_core.geometry.se3 import so3_exp
from vidplan_core.planner.interfaces import ProposalSource, Situation
from vidplan_core.planner.motion.commands import CommandFollower
from vidplan_core.planner.motion.hermite import hermite_weights
from vidplan_core.planner.motion.space import MotionSpace
from vidplan_core.planner.motion.turning import LEVER_M
from vidplan_core.planner.parts import PlannerParts
from vidplan_core.planner.proposals.policy import OTHERWISE
from vidplan_core.planner.proposals.repelled import repelled
from vidplan_core.policy_server.client import PolicyClient
from vidplan_core.policy_server.droid import letterbox, request
from vidplan_core.world_model.world_model import WorldModel

# Poses of some candidates: positions (N, frames, 3), rotations (N, frames, 3, 3), closedness.
Paths = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True, eq=False)
class ServedProposals:
    """Chunks of a policy server; the first is its first answer, the others lie around.

    Attributes:
        client: asks it.
        follower: what the arm makes of its commands.
        motions: bound what candidates may be.
        world_model: shows what will be seen where the plan starts.
        samples: how many candidates.
        otherwise: proposes where the server fails; None for nobody.
    """

    client: PolicyClient
    follower: CommandFollower
    motions: MotionSpace
    world_model: WorldModel
    samples: int
    otherwise: ProposalSource | None = None

    @classmethod
    def build(
        cls, parts: PlannerParts, motions: MotionSpace, otherwise: ProposalSource | None
    ) -> ServedProposals:
        """The server of a configuration; candidates are bounded by `motions`.

        Raises:
            ConfigError: it is to see views that there are not.
        """
        if parts.server is None:
            raise ConfigError("proposals of a policy server need 'policy_server' or base 'server'")
        config, model = parts.config.policy_server, parts.world_model.config
        config.check_views(model.views)
        follower = CommandFollower(
            parts.robot, config.rate_hz, config.unit_rad_s, model.frames, model.frame_period_s,
            parts.server.adapter,
        )  # fmt: skip
        samples = parts.config.samples
        return cls(parts.server.client, follower, motions, parts.world_model, samples, otherwise)

    @torch.no_grad()
    def propose(self, situation: Situation) -> PoseChunk:
        """Candidates (samples, frames); those of the other source, or none, where it fails."""
        try:
            answers = self._ask(situation)
        except PolicyServerError as error:
            situation.notes.append(f'{error.code}: {error}; other proposals are planned from')
            if self.otherwise is not None:
                return self.otherwise.propose(situation)
            return self.motions.rest(situation.start).rows(slice(0, 0))
        return self._around(situation, self._paths(situation, answers))

    def _ask(self, situation: Situation) -> list[np.ndarray]:
        config = self.client.config
        views = dict(zip(self.world_model.config.views, self._seen(situation)))
        pictures = {
            key: letterbox(views[view], config.image_height, config.image_width)
            for key, view in config.views.items()
        }
        start = situation.start
        q = start.q.double().cpu().numpy()
        asked = request(pictures, q, start.closedness, situation.instruction.words)
        wanted = min(config.requests, self.samples)
        found = [self.client.actions(asked) for _ in range(wanted)]
        return [actions[: config.horizon or None] for actions in found]

    def _seen(self, situation: Situation) -> np.ndarray:
        """Views (views, height, width, 3), uint8, where the plan starts: seen, else imagined."""
        seen = situation.seen
        if seen is None:
            seen = self.world_model.decode(situation.context.latents[:1, -1:])[0, 0]
        levels = (255.0 * seen.float().clamp(0.0, 1.0)).round().byte()
        return levels.permute(0, 2, 3, 1).cpu().numpy()

    def _paths(self, situation: Situation, answers: list[np.ndarray]) -> Paths:
        """Poses of all answers, and a note of commands that are larger than they may be."""
        q = situation.start.q
        found = []
        for actions in answers:
            commands = torch.as_tensor(actions, dtype=q.dtype, device=q.device)[None]
            if (large := int((commands[..., :7].abs() > 1.0).sum())) > 0:
                situation.notes.append(f'{large} velocities of the policy server count as 1')
            angles = self.follower.angles(q, commands[..., :7])
            position, rotation = flange_pose(angles, self.follower.robot)
            found.append((position, rotation, self.follower.closedness(commands[..., 7])))
        position, rotation, closedness = (torch.cat(rows) for rows in zip(*found))
        return position, rotation, closedness

    def _around(self, situation: Situation, paths: Paths) -> PoseChunk:
        """Candidates around the answers; the last OTHERWISE command the gripper otherwise.

        As for a policy of ours, letting go too early, or never closing, is seen by the value only
        where it may choose.
        """
        room = self.samples - len(paths[0])
        other = OTHERWISE if room > OTHERWISE else 0
        rows = [paths, self._spread(paths, room - other, situation.seed)]
        if other:
            rows.append(_otherwise(paths))
        position, rotation, closedness = (torch.cat(parts) for parts in zip(*rows))
        return self.motions.along(situation.start, position, rotation, closedness)

    def _spread(self, paths: Paths, count: int, seed: int) -> Paths:
        """Answers, in turn, that end a little elsewhere."""
        whose = torch.arange(count) % len(paths[0])
        position, rotation, closedness = (values[whose] for values in paths)
        frames = position.shape[1]
        shape, _ = hermite_weights(torch.arange(frames) / (frames - 1))
        offset = self.client.config.spread_m * repelled(count, seed).to(position)
        way = shape.to(position)[:, None] * offset[:, None]
        turn = way[..., 3:] / LEVER_M * way.new_tensor([0.0, 0.0, 1.0])
        return position + way[..., :3], so3_exp(turn) @ rotation, closedness


def _otherwise(paths: Paths) -> Paths:
    """The first answer with the other gripper command, moving like it and staying."""
    position, rotation, closedness = (values[:1] for values in paths)
    other = (1.0 - closedness[:, -1:]).expand_as(closedness)
    return (
        torch.cat([position, position[:, :1].expand_as(position)]),
        torch.cat([rotation, rotation[:, :1].expand_as(rotation)]),
        torch.cat([other, other]),
    )
