# SPDX-License-Identifier: Apache-2.0
"""What a process of an evaluation loads once, and the episodes that it then runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vidplan_eval.suites.judging.judged import JudgedWork
from vidplan_eval.suites.push.episode import PushRow, run_push
from vidplan_eval.suites.push.methods import make_push_method
from vidplan_eval.suites.push.scenes import push_episode


@dataclass(frozen=True)
class PushPiece:
    """One episode: `push_episode(seed, distractors)`."""

    seed: int
    distractors: int


@dataclass(frozen=True)
class PushWork(JudgedWork):
    """Pushes; loads models when it is called."""

    def __call__(self) -> Callable[[PushPiece], PushRow]:
        """Load; returns what runs one episode."""
        system, pace, world = self.load()
        method = make_push_method(self.method, system, pace)

        def run(piece: PushPiece) -> PushRow:
            episode = push_episode(piece.seed, piece.distractors)
            return self.filmed(*run_push(method, world, episode, self.limit_s), 'push')

        return run
