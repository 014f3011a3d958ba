# SPDX-License-Identifier: Apache-2.0
"""The stage of a task as a source of candidates, and as what they are worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch

from vidplan_core.data.action import PoseChunk
from vidplan_core.errors import ConfigError
from vidplan_core.geometry.robot import RobotModel
from vidplan_core.planner.interfaces import Dynamics, Score, Scoring, Situation
from vidplan_core.planner.motion.turning import LEVER_M, TurningMotions
from vidplan_core.planner.parts import PlannerParts
from vidplan_core.planner.tasks.hand import Hand, HandPaths, Move, hand_at, hand_paths
from vidplan_core.world_model.world_model import Imagination

REACH_M, TURN_RAD = 0.14, 0.9  # of one chunk


@runtime_checkable
class TaskStage(Protocol):
    """What a task needs next."""

    def moves(self, hand: Hand) -> Sequence[Move]:
        """Which motions could be made."""
        ...

    def seconds(self, paths: HandPaths) -> np.ndarray:
        """How long each leaves to the end of the task, (candidates,), s."""
        ...


@runtime_checkable
class PicturedStage(TaskStage, Protocol):
    """A stage whose motions can be judged by where they are imagined to bring a thing."""

    def expected(self, paths: HandPaths) -> np.ndarray:
        """Where geometry brings the thing by each motion, (candidates, 2), base frame, m."""
        ...

    def showing(self, places: np.ndarray) -> TaskStage:
        """The same, where the thing lies at (candidates, 2) after the motions, base frame, m."""
        ...


def stage_of(situation: Situation) -> TaskStage:
    """The stage; raises ConfigError where nobody has looked for one."""
    stage = situation.stage
    if not isinstance(stage, TaskStage):
        raise ConfigError('stages are for tasks whose thing is looked at in every cycle')
    return stage


@dataclass(frozen=True)
class StageMoves:
    """The moves of a stage as chunks.

    Attributes:
        motions: makes chunks of them.
        note: what plans say of how they were judged; '' for nothing.
    """

    motions: TurningMotions
    note: str = ''

    @classmethod
    def build(cls, parts: PlannerParts, note: str = '') -> StageMoves:
        """For a configuration."""
        return cls(TurningMotions.build(parts), note)

    @torch.no_grad()
    def propose(self, situation: Situation) -> PoseChunk:
        """Candidates (moves, frames)."""
        start = situation.start
        if self.note:
            situation.notes.append(self.note)
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
class StageDynamics:
    """Imagines only where the stage judges by it.

    Attributes:
        imagining: the world model.
    """

    imagining: Dynamics

    def predict(self, situation: Situation, chunk: PoseChunk) -> Imagination | None:
        """See `Dynamics`."""
        if not isinstance(situation.stage, PicturedStage):
            return None
        return self.imagining.predict(situation, chunk)


# Where an imagination shows the target in the end, (candidates, 2), base frame, m; the last is
# where geometry brings it, (candidates, 2).
SeenEnds = Callable[[Situation, PoseChunk, Imagination, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class SecondsToGo:
    """Candidates are worth the less, the more time is left after them.

    Attributes:
        robot: whose hand it is.
        ends: looks at what is imagined; None where nothing is.
    """

    robot: RobotModel
    ends: SeenEnds | None = None

    def at(self, situation: Situation) -> Scoring:
        """The objective of one cycle."""
        stage = stage_of(situation)

        def score(chunk: PoseChunk, imagination: Imagination | None) -> Score:
            judged, paths = stage, hand_paths(chunk, self.robot)
            if imagination is not None and self.ends is not None:
                assert isinstance(stage, PicturedStage)
                known = stage.expected(paths)
                judged = stage.showing(self.ends(situation, chunk, imagination, known))
            found = judged.seconds(paths)
            seconds = torch.as_tensor(found, dtype=torch.float32, device=chunk.position.device)
            return Score(-seconds, {'seconds_to_go': seconds})

        return score
