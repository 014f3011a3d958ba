# SPDX-License-Identifier: Apache-2.0
"""A fold's stage as a source of candidates, and as what they are worth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vidplan_core.data.action import PoseChunk
from vidplan_core.errors import ConfigError
from vidplan_core.geometry.robot import RobotModel
from vidplan_core.planner.interfaces import Score, Scoring, Situation
from vidplan_core.planner.motion.turning import LEVER_M, TurningMotions
from vidplan_core.planner.parts import PlannerParts
from vidplan_core.planner.tasks.folding.hand import Hand, Move, hand_at, hand_paths
from vidplan_core.planner.tasks.folding.stages import Stage
from vidplan_core.world_model.world_model import Imagination

REACH_M, TURN_RAD = 0.14, 0.9  # of one chunk
NOTE = (
    'nothing is imagined: the world model has never seen cloth; motions are judged by geometry, '
    'and by what is seen after each of them'
)


def stage_of(situation: Situation) -> Stage:
    """The stage; raises ConfigError where nobody has looked for a cloth."""
    stage = situation.stage
    if not isinstance(stage, Stage):
        raise ConfigError('folding is for tasks whose cloth is looked for in every cycle')
    return stage


@dataclass(frozen=True)
class FoldMoves:
    """The moves of a stage as chunks.

    Attributes:
        motions: makes chunks of them.
    """

    motions: TurningMotions

    @classmethod
    def build(cls, parts: PlannerParts) -> FoldMoves:
        """For a configuration."""
        return cls(TurningMotions.build(parts))

    @torch.no_grad()
    def propose(self, situation: Situation) -> PoseChunk:
        """Candidates (moves, frames)."""
        start = situation.start
        situation.notes.append(NOTE)
        hand = hand_at(start.position, start.rotation, start.grip, self.motions.robot)
        moves = stage_of(situation).moves(hand)
        motion = start.position.new_tensor(np.stack([_motion(move, hand) for move in moves]))
        grip = motion.new_tensor([move.grip for move in moves])
        return self.motions.chunk(start, motion, grip)


def _motion(move: Move, hand: Hand) -> np.ndarray:
    """A motion (4,), as `TurningMotions` has it, as far as one chunk reaches."""
    way = move.goal - hand.tool
    way = way * min(1.0, REACH_M / max(float(np.linalg.norm(way)), 1e-6))
    turn = 0.0 if move.yaw is None else float(np.clip(move.yaw - hand.yaw, -TURN_RAD, TURN_RAD))
    return np.append(way, LEVER_M * turn)


@dataclass(frozen=True)
class SecondsToGo:
    """Candidates are worth the less, the more time is left after them.

    Attributes:
        robot: whose hand it is.
    """

    robot: RobotModel

    def at(self, situation: Situation) -> Scoring:
        """The objective of one cycle; nothing that is imagined is looked at."""
        stage = stage_of(situation)

        def score(chunk: PoseChunk, imagination: Imagination | None) -> Score:
            seconds = self._seconds(stage, chunk)
            return Score(-seconds, {'seconds_to_go': seconds})

        return score

    def _seconds(self, stage: Stage, chunk: PoseChunk) -> Tensor:
        found = stage.seconds(hand_paths(chunk, self.robot))
        return torch.as_tensor(found, dtype=torch.float32, device=chunk.position.device)
