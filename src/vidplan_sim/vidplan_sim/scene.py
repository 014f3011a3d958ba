# SPDX-License-Identifier: Apache-2.0
"""Descriptions of a cell's scene, and the random scenes that data and evaluations use."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vidplan_sim.arm.kinematics import Q_READY, down_rotation, solve_ik, tcp_to_flange
from vidplan_sim.objects.everyday import KIND_NAMES
from vidplan_sim.objects.unseen import UNSEEN_NAMES, unseen_light

OBJECT_AREA_M = ((0.40, 0.60), (-0.18, 0.18))  # x and y of the objects' centres
START_REGION_M = ((0.42, 0.58), (-0.15, 0.15), (0.14, 0.20))  # x, y and z of the TCP at start
MAX_OBJECTS = 6
OBJECT_GAP_M = 0.095  # between objects' centres
BOWL_GAP_M = 0.14  # between the bowl's centre and an object's
TABLE_LOOKS = 6
UNSEEN = ('objects', 'lights')


@dataclass(frozen=True)
class ObjectPlacement:
    """Where an object stands (m, rad, base frame) and how it differs from its kind."""

    kind: str
    x: float
    y: float
    yaw: float = 0.0
    scale: float = 1.0
    hue_shift: float = 0.0


@dataclass(frozen=True)
class TowelPlacement:
    """Where the towel lies spread out: its centre (m, base frame), its turn (rad), its colour."""

    x: float
    y: float
    yaw: float = 0.0
    hue_shift: float = 0.0


@dataclass(frozen=True)
class Light:
    """Direction of the main light, its strength and that of the surrounding light."""

    direction: tuple[float, float, float] = (-0.3, 0.2, -0.93)
    strength: float = 0.55
    ambient: float = 0.4


Vector = tuple[float, float, float]


@dataclass(frozen=True)
class CameraJitter:
    """Displacements of the scene cameras' positions and targets (m), and rolls (rad)."""

    left_position: tuple[float, float, float] = (0.0, 0.0, 0.0)
    right_position: tuple[float, float, float] = (0.0, 0.0, 0.0)
    left_target: tuple[float, float, float] = (0.0, 0.0, 0.0)
    right_target: tuple[float, float, float] = (0.0, 0.0, 0.0)
    left_roll: float = 0.0
    right_roll: float = 0.0

    def of(self, view: str) -> tuple[Vector, Vector, float]:
        """Return displacements of position and target (m) and the roll (rad) of a camera."""
        parts = (getattr(self, f'{view}_{part}') for part in ('position', 'target', 'roll'))
        position, target, roll = parts
        return position, target, roll


@dataclass(frozen=True)
class Scene:
    """Everything that a cell needs to start an episode; equal scenes give equal episodes."""

    seed: int
    objects: tuple[ObjectPlacement, ...]
    bowl: ObjectPlacement = ObjectPlacement('bowl', 0.5, 0.15)
    light: Light = Light()
    camera_jitter: CameraJitter = CameraJitter()
    table_look: int = 0
    table_tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    q_start: tuple[float, ...] = tuple(Q_READY.tolist())
    towel: TowelPlacement | None = None

    @property
    def kinds(self) -> tuple[str, ...]:
        """What stands on the table, the bowl last; a towel has no kind."""
        return (*(placed.kind for placed in self.objects), self.bowl.kind)


def random_scene(seed: int, count: int | None = None, unseen: str = '') -> Scene:
    """A scene with `count` (1 to 6, random if None) different objects beside the bowl.

    `unseen` makes it one that no training has: 'objects' stands other kinds in the same places,
    'lights' lights the same scene otherwise.

    Raises:
        ValueError: the count is outside 1 to 6, the seed is negative, or nothing is `unseen`.
    """
    if unseen not in ('', *UNSEEN):
        raise ValueError(f"unseen must be one of {UNSEEN}, not '{unseen}'")
    if seed < 0:
        raise ValueError(f'seed must not be negative, got {seed}')
    if count is not None and not 1 <= count <= MAX_OBJECTS:
        raise ValueError(f'count must be 1 to {MAX_OBJECTS}, got {count}')
    rng = np.random.default_rng(seed)
    number = int(rng.integers(1, MAX_OBJECTS + 1)) if count is None else count
    kinds = [KIND_NAMES[i] for i in rng.permutation(len(KIND_NAMES))[:number]]
    if unseen == 'objects':
        other = np.random.default_rng([seed, 1]).permutation(len(UNSEEN_NAMES))
        kinds = [UNSEEN_NAMES[i] for i in other[:number]]
    spots = _spread_out(rng, number)
    scene = Scene(
        seed=seed,
        objects=tuple(_placement(rng, kind, spot) for kind, spot in zip(kinds, spots[1:])),
        bowl=_placement(rng, 'bowl', spots[0]),
        light=_random_light(rng),
        camera_jitter=_random_jitter(rng),
        table_look=int(rng.integers(TABLE_LOOKS)),
        table_tint=_triple(rng.uniform(0.85, 1.0) * rng.uniform(0.93, 1.0, 3)),
        q_start=_random_start(rng),
    )
    if unseen == 'lights':
        return replace(scene, light=Light(*unseen_light(np.random.default_rng([seed, 2]))))
    return scene


def _spread_out(rng: np.random.Generator, number: int) -> list[np.ndarray]:
    """The bowl's place and `number` objects' places (x, y), far enough from one another."""
    (x0, x1), (y0, y1) = OBJECT_AREA_M
    low, high = np.array([x0, y0]), np.array([x1, y1])
    while True:
        spots = [rng.uniform(low + 0.03, high - 0.03)]
        for _ in range(60 * number):
            spot = rng.uniform(low, high)
            if np.linalg.norm(spot - spots[0]) < BOWL_GAP_M:
                continue
            if all(np.linalg.norm(spot - other) >= OBJECT_GAP_M for other in spots[1:]):
                spots.append(spot)
            if len(spots) == number + 1:
                return spots


def _placement(rng: np.random.Generator, kind: str, spot: np.ndarray) -> ObjectPlacement:
    yaw = float(rng.uniform(-np.pi, np.pi))
    scale = float(rng.uniform(0.93, 1.07))
    return ObjectPlacement(kind, float(spot[0]), float(spot[1]), yaw, scale,
                           float(rng.uniform(-0.02, 0.02)))


def _random_light(rng: np.random.Generator) -> Light:
    direction = np.array([rng.uniform(-0.6, 0.6), rng.uniform(-0.6, 0.6), -1.0])
    return Light(_triple(direction / np.linalg.norm(direction)), float(rng.uniform(0.4, 0.65)),
                 float(rng.uniform(0.32, 0.48)))


def _random_jitter(rng: np.random.Generator) -> CameraJitter:
    positions, targets = rng.uniform(-0.01, 0.01, (2, 3)), rng.uniform(-0.005, 0.005, (2, 3))
    rolls = rng.uniform(-0.01, 0.01, 2)
    return CameraJitter(_triple(positions[0]), _triple(positions[1]), _triple(targets[0]),
                        _triple(targets[1]), float(rolls[0]), float(rolls[1]))


def _random_start(rng: np.random.Generator) -> tuple[float, ...]:
    """Joint positions with the gripper straight down, its TCP in the start region."""
    tcp = np.array([rng.uniform(*bounds) for bounds in START_REGION_M])
    rotation = down_rotation(float(rng.uniform(-0.35, 0.35)))
    q = solve_ik(tcp_to_flange(tcp, rotation), rotation, Q_READY)
    return tuple(float(v) for v in q)


def _triple(values: np.ndarray) -> tuple[float, float, float]:
    x, y, z = (float(v) for v in values)
    return x, y, z
