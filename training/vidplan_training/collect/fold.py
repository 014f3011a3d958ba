# SPDX-License-Identifier: Apache-2.0
"""Records demonstrations of folding a towel: what is seen, commanded and true, at 5 Hz."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vidplan_eval.suites.fold.halves import FOLDS, corner_error
from vidplan_sim.cell import Cell
from vidplan_sim.expert.decision import Decision
from vidplan_sim.expert.folding import decide_fold
from vidplan_sim.expert.rule import DECISION_FRAMES, PHASES
from vidplan_sim.expert.towel_sight import TowelSight
from vidplan_sim.objects import cloth
from vidplan_sim.towel_scenes import MOST_DISTRACTORS, towel_scene
from vidplan_training.collect.contact.episode import KIND_NAMES, Row, record_row
from vidplan_training.collect.motion import PERIOD_S, Motion

SHARE_DISTURBED = 0.5  # of the episodes: motions then end a little off, and are corrected
DISTURBANCE_M = 0.006
FOLD_PHASES = (*PHASES, 'leave')


class FoldRecorder:
    """Folds the towel of one scene after the other, as the rule does that knows the truth."""

    def __init__(self) -> None:
        self.cell = Cell()
        self.kinds = list(dict.fromkeys([*KIND_NAMES, cloth.NAME]))

    def record(self, seed: int, frames: int) -> dict[str, np.ndarray]:
        """One episode as arrays (frames, ...), named as in `record_row` and `_look`.

        Raises:
            UnreachablePose: no corner of the towel can be reached and carried over.
            SimulationDiverged: the physics failed.
        """
        rng = np.random.default_rng([seed, 45])
        distractors = int(rng.integers(MOST_DISTRACTORS + 1))
        disturbance_m = DISTURBANCE_M if rng.random() < SHARE_DISTURBED else 0.0
        self.cell.reset(towel_scene(seed, distractors))
        sight, motion = TowelSight(self.cell), Motion(self.cell)
        rows = []
        for frame in range(frames):
            decision, phase = decide_fold(sight.view())
            if frame % DECISION_FRAMES == 0:
                motion.start(_disturbed(decision, rng, disturbance_m))
            rows.append(self._look(sight.corner, decision, phase))
            self.cell.step(PERIOD_S)
        return {name: np.stack([row[name] for row in rows]) for name in rows[0]}

    def about(self, frames: int) -> dict[str, object]:
        """What a shard says of its episodes, beside their seeds."""
        return {'kinds': self.kinds, 'phases': list(FOLD_PHASES), 'verb': 'fold'}

    def _look(self, corner: int, decision: Decision, phase: str) -> Row:
        mesh = self.cell.cloth()
        advice = [*decision.displacement, decision.turn_rad, decision.closedness]
        return record_row(self.cell, self.kinds) | {
            'cloth': mesh.astype(np.float32),
            'corner': np.int8(corner),
            'corner_error': np.float32(min(corner_error(mesh, fold) for fold in FOLDS)),
            'phase': np.int8(FOLD_PHASES.index(phase)),
            'expert': np.array(advice, np.float32),
        }


def _disturbed(decision: Decision, rng: np.random.Generator, scale_m: float) -> Decision:
    """A decision that ends a little off where it moves the hand at all."""
    if not decision.displacement.any():
        return decision
    off = rng.normal(scale=scale_m, size=3) if scale_m else np.zeros(3)
    off[2] = max(off[2], 0.0)  # not into the table
    return replace(decision, displacement=decision.displacement + off)
