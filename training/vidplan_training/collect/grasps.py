# SPDX-License-Identifier: Apache-2.0
"""Records how scenes look before a grasp, and where and how the expert would grasp each thing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from vidplan_sim.arm.kinematics import (
    Q_READY,
    UnreachablePose,
    down_rotation,
    solve_ik,
    tcp_to_flange,
)
from vidplan_sim.cell import Cell
from vidplan_sim.expert.looking import lying_heights, view_of
from vidplan_sim.objects.catalogue import kind_named
from vidplan_sim.scene import OBJECT_AREA_M, Scene, random_scene
from vidplan_training.collect.contact.episode import KIND_NAMES, Row, record_row
from vidplan_training.collect.scene_files import SceneFiles

LOOKS = 5
# Where the hand is: mostly over a thing, on the way down to it; now and then anywhere.
SHARE_OVER = 0.7
HEIGHTS_M, ANYWHERE_M = (0.02, 0.20), (0.12, 0.24)
ASIDE_M = (0.008, 0.05)  # standard deviation beside it, at the lowest and the highest
MOST_TURN_RAD = 1.1


class GraspLookRecorder:
    """Looks at one scene after the other from several places of the hand."""

    def __init__(self) -> None:
        self.cell = Cell()

    def record(self, seed: int) -> dict[str, np.ndarray] | None:
        """Arrays (looks, ...), as `record_row` names them, with what the expert would do.

        grasps: where its fingers would close on a kind, (looks, kinds, 3), base frame, m, not a
        number for what is not there; closings: cosine and sine of twice the yaw of the hand then,
        (looks, kinds, 2), zeros where no turn is better than another.
        None for a scene without things.
        """
        rng = np.random.default_rng([seed, 53])
        scene = random_scene(seed)
        if not scene.objects:
            return None
        rows = []
        for _ in range(LOOKS):
            self.cell.reset(self._moved(scene, rng))
            rows.append(self._row())
        return {name: np.stack([row[name] for row in rows]) for name in rows[0]}

    def _moved(self, scene: Scene, rng: np.random.Generator) -> Scene:
        """The scene with the arm elsewhere, where it can be there."""
        low, high = HEIGHTS_M
        height = rng.uniform(low, high)
        over = scene.objects[rng.integers(len(scene.objects))]
        share = (height - low) / (high - low)
        beside = rng.normal(scale=ASIDE_M[0] + share * (ASIDE_M[1] - ASIDE_M[0]), size=2)
        tcp = np.array([over.x + beside[0], over.y + beside[1], height])
        if rng.random() > SHARE_OVER:
            tcp = np.array([rng.uniform(*side) for side in (*OBJECT_AREA_M, ANYWHERE_M)])
        rotation = down_rotation(float(rng.uniform(-MOST_TURN_RAD, MOST_TURN_RAD)))
        try:
            q = solve_ik(tcp_to_flange(tcp, rotation), rotation, Q_READY)
        except UnreachablePose:
            return scene
        return replace(scene, q_start=tuple(float(angle) for angle in q))

    def _row(self) -> Row:
        grasps = np.full((len(KIND_NAMES), 3), np.nan, np.float32)
        closings = np.zeros((len(KIND_NAMES), 2), np.float32)
        lying = lying_heights(self.cell)
        for kind in lying:
            if kind != 'bowl':
                view, number = view_of(self.cell, kind, lying), KIND_NAMES.index(kind)
                grasps[number] = view.grasp
                if not kind_named(kind).round:
                    doubled = 2.0 * view.grasp_yaw
                    closings[number] = np.cos(doubled), np.sin(doubled)
        return record_row(self.cell, list(KIND_NAMES)) | {'grasps': grasps, 'closings': closings}


def grasp_files(folder: Path) -> SceneFiles:
    """The recorded looks of a folder."""
    return SceneFiles(folder, 'grasps', GraspLookRecorder)
