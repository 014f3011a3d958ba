# SPDX-License-Identifier: Apache-2.0
"""Plans that an adapter may be sent: sensible, greedy, low, wild and broken ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from vidplan_core.control.commands import CommittedMotion, PlanCommand

Array = NDArray[np.float64]

# Displacement (m) and turn (rad) at most, of sensible and of greedy plans.
_SENSIBLE, _GREEDY = (0.12, 0.6), (0.5, 2.5)
_SIZES = (0, 1, 25, 300_000)
_NUMBERS = (np.nan, np.inf, -np.inf, 1e300, -1e9, 1e9, 0.0, -1.0)


class HardPlans:
    """Draws plans from where an arm will be; equal generators draw equal ones."""

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        self._kinds: tuple[Callable[[PlanCommand], PlanCommand], ...] = (
            self._sensible, self._sensible, self._greedy, self._low, self._walk, self._broken,
        )  # fmt: skip

    def draw(self, motion: CommittedMotion, now_s: float, plan_id: int) -> PlanCommand:
        """Return a plan of any kind that begins where the committed motion leads, mostly."""
        random = self._random
        frames, period_s = int(random.integers(2, 9)), float(random.choice([0.1, 0.2, 0.3]))
        ahead_s = float(random.choice([0.0, 0.1, 0.2, 0.4]) + random.uniform(0, 0.05))
        row = int(np.abs(motion.times_s - now_s - ahead_s).argmin())
        here = PlanCommand(
            plan_id, now_s - random.uniform(0, 0.3), now_s + ahead_s, period_s,
            np.tile(motion.position[row], (frames, 1)),
            np.tile(motion.quaternion[row], (frames, 1)),
            random.choice([0.0, 1.0]) * np.ones(frames),
        )  # fmt: skip
        return self._kinds[random.integers(len(self._kinds))](here)

    def _sensible(self, here: PlanCommand) -> PlanCommand:
        return self._moved(here, *_SENSIBLE)

    def _greedy(self, here: PlanCommand) -> PlanCommand:
        return self._moved(here, *_GREEDY)

    def _low(self, here: PlanCommand) -> PlanCommand:
        """Down to the table, the hand tilted."""
        plan = self._moved(here, 0.1, 1.2)
        part = np.linspace(0, 1, len(plan.positions))
        low = self._random.uniform(0.05, 0.2)
        positions = np.array(plan.positions)
        positions[:, 2] += part * part * (3 - 2 * part) * (low - positions[0, 2])
        return replace(plan, positions=positions)

    def _moved(self, here: PlanCommand, length_m: float, turn_rad: float) -> PlanCommand:
        frames = len(here.positions)
        part = np.linspace(0, 1, frames)
        shape = (part * part * (3 - 2 * part))[:, None]
        way = self._random.uniform(-length_m, length_m, 3) * self._random.uniform()
        turn = self._random.uniform(-turn_rad, turn_rad, 3) * self._random.uniform()
        turned = Rotation.from_rotvec(shape * turn) * Rotation.from_quat(here.quaternions)
        positions = here.positions + shape * way
        return replace(here, positions=positions, quaternions=turned.as_quat())

    def _walk(self, here: PlanCommand) -> PlanCommand:
        """Frames that lead anywhere, up to one more than there may be."""
        random = self._random
        frames, period_s = int(random.integers(2, 26)), float(random.uniform(0.02, 1.0))
        step = random.uniform(0, 0.7) * period_s
        ways = np.cumsum(random.normal(size=(frames, 3)) * step / 2, axis=0)
        turns = np.cumsum(random.normal(size=(frames, 3)) * step, axis=0)
        turned = Rotation.from_rotvec(turns) * Rotation.from_quat(here.quaternions[0])
        return replace(
            here, period_s=period_s, positions=here.positions[0] + ways,
            quaternions=turned.as_quat(), closedness=random.uniform(size=frames),
        )  # fmt: skip

    def _broken(self, here: PlanCommand) -> PlanCommand:
        """One thing about it is wrong, or absurd."""
        random, plan = self._random, self._moved(here, *_SENSIBLE)
        value = float(random.choice(_NUMBERS))
        name = str(random.choice(['positions', 'quaternions', 'closedness', 'scalar', 'size']))
        if name == 'scalar':
            field = str(random.choice(['stamp_s', 'start_s', 'period_s']))
            return replace(plan, **{field: value + random.choice([0.0, here.stamp_s])})
        if name == 'size':
            count = int(random.choice(_SIZES))
            return replace(plan, positions=np.zeros((count, 3)), quaternions=np.ones((count, 4)))
        values = np.array(getattr(plan, name))
        values.reshape(-1)[random.integers(values.size)] = value
        changes: dict[str, Any] = {name: values}
        return replace(plan, **changes)
