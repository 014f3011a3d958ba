# SPDX-License-Identifier: Apache-2.0
"""What a process of an evaluation loads once, and the episodes that it then runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vidplan_eval.suites.judging.judged import JudgedWork
from vidplan_eval.suites.pick_place.episode import PickPlaceRow, run_pick_place
from vidplan_eval.suites.pick_place.methods import make_method
from vidplan_eval.suites.pick_place.scenes import pick_place_episode


@dataclass(frozen=True)
class PickPlacePiece:
    """One episode: `pick_place_episode(task, seed, distractors)`."""

    task: str
    seed: int
    distractors: int


@dataclass(frozen=True)
class PickPlaceWork(JudgedWork):
    """Places; loads models when it is called."""

    def __call__(self) -> Callable[[PickPlacePiece], PickPlaceRow]:
        """Load; returns what runs one episode."""
        system, pace, world = self.load()
        method = make_method(self.method, system, pace)

        def run(piece: PickPlacePiece) -> PickPlaceRow:
            episode = pick_place_episode(piece.task, piece.seed, piece.distractors)
            return self.filmed(*run_pick_place(method, world, episode, self.limit_s), piece.task)

        return run
