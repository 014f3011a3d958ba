# SPDX-License-Identifier: Apache-2.0
"""What a process of an evaluation loads once, and the episodes that it then runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vidplan_eval.suites.fold.episode import FoldRow, run_fold
from vidplan_eval.suites.fold.methods import make_fold_method
from vidplan_eval.suites.fold.scenes import fold_episode
from vidplan_eval.suites.judging.judged import JudgedWork


@dataclass(frozen=True)
class FoldPiece:
    """One episode: `fold_episode(seed, distractors)`."""

    seed: int
    distractors: int


@dataclass(frozen=True)
class FoldWork(JudgedWork):
    """Folds; loads models when it is called."""

    def __call__(self) -> Callable[[FoldPiece], FoldRow]:
        """Load; returns what runs one episode."""
        system, pace, world = self.load()
        method = make_fold_method(self.method, system, pace)

        def run(piece: FoldPiece) -> FoldRow:
            episode = fold_episode(piece.seed, piece.distractors)
            return self.filmed(*run_fold(method, world, episode, self.limit_s), 'fold')

        return run
