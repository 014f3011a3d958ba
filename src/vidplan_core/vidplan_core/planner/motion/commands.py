# SPDX-License-Identifier: Apache-2.0
"""Where commanded joint velocities bring the joints by the frames of a chunk, within limits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from vidplan_core.errors import ConfigError
from vidplan_core.geometry.robot import RobotModel
from vidplan_core.world_model.dynamics_adapter import DynamicsAdapter, load_dynamics_adapter

# Of a models folder, where it has one.
ADAPTER_FOLDER = 'dynamics_adapter'


@dataclass(frozen=True, eq=False)
class CommandFollower:
    """How an arm follows commands, by a learned adapter or at a fixed speed for a command of 1.

    Attributes:
        robot: whose limits joint motions keep.
        rate_hz: of the commands.
        unit_rad_s: speed of a joint that is commanded 1, without an adapter.
        frames: of a chunk, the present included.
        period_s: between frames.
        adapter: learned, None for none.
    """

    robot: RobotModel
    rate_hz: float
    unit_rad_s: float
    frames: int
    period_s: float
    adapter: DynamicsAdapter | None = None

    def __post_init__(self) -> None:
        if self.adapter is None:
            return
        known = self.adapter.config
        if self.duration_s * known.rate_hz > known.steps + 1e-6:
            raise ConfigError(
                f'the dynamics adapter knows {known.steps} commands at {known.rate_hz:g} Hz; a '
                f'chunk of these models lasts {self.duration_s:g} s'
            )

    @property
    def duration_s(self) -> float:
        """Time of a chunk, s."""
        return (self.frames - 1) * self.period_s

    def closedness(self, commanded: Tensor) -> Tensor:
        """Gripper commands (N, frames) in force at each frame, of any number of them (N, n).

        They open or close wholly, as DROID's policies are executed; the last one stays.
        """
        steps = torch.arange(self.frames) * self.period_s * self.rate_hz
        taken = (steps + 1e-6).long().clamp_max(commanded.shape[1] - 1)
        return (commanded[:, taken] > 0.5).to(commanded.dtype)

    def angles(self, q: Tensor, commands: Tensor) -> Tensor:
        """Joint angles (N, frames, 7), rad, of commands (N, any number, 7) in [-1, 1].

        What is not commanded is standing still; the arm slows to rest in the period before.

        Args:
            q: angles (7,) at the first frame, rad.
            commands: larger ones count as 1.
        """
        start, commands = q.expand(len(commands), -1), commands.clamp(-1.0, 1.0)
        if self.adapter is None:
            rate_hz = self.rate_hz
            timed = self._timed(commands, math.ceil(self.duration_s * rate_hz - 1e-6), rate_hz)
            moved = start[:, None] + timed.cumsum(1) * (self.unit_rad_s / rate_hz)
        else:
            rate_hz = self.adapter.config.rate_hz
            moved = self.adapter(start, self._timed(commands, self.adapter.config.steps, rate_hz))
        marks = torch.arange(self.frames, dtype=torch.float64) * self.period_s * rate_hz
        return self._within_limits(q, _at(torch.cat([start[:, None], moved], 1), marks))

    def _timed(self, commands: Tensor, count: int, rate_hz: float) -> Tensor:
        """Commands (N, count, 7) at another rate, rest after their end, slowed before it."""
        times = (torch.arange(count, dtype=torch.float64) + 0.5) / rate_hz
        taken = (times * self.rate_hz).long()
        padded = torch.cat([commands, torch.zeros_like(commands[:, :1])], 1)
        end_s = min(self.duration_s, commands.shape[1] / self.rate_hz)
        slowed = ((end_s - times) / self.period_s).clamp(0.0, 1.0).to(commands)
        return padded[:, taken.clamp_max(commands.shape[1])] * slowed[:, None]

    def _within_limits(self, q: Tensor, angles: Tensor) -> Tensor:
        """Angles (N, frames, 7) with steps that no joint exceeds its speed in, in its range."""
        limits = self.robot.limits
        steps = angles.diff(dim=1)
        most = q.new_tensor(limits.velocity) * self.period_s
        share = (most / steps.abs().clamp_min(1e-9)).amin(-1, keepdim=True).clamp_max(1.0)
        path = torch.cat([q.expand(len(angles), 1, -1), share * steps], 1).cumsum(1)
        # A start outside the limits is a fact, not a choice.
        lower = torch.minimum(q.new_tensor(limits.lower), q)
        upper = torch.maximum(q.new_tensor(limits.upper), q)
        return path.maximum(lower).minimum(upper)


def find_adapter(path: str, models: Path | None) -> DynamicsAdapter | None:
    """The adapter of a path, else the models' own, else None.

    Raises:
        ModelError: it is missing or corrupt.
    """
    if path:
        return load_dynamics_adapter(Path(path).expanduser())
    own = None if models is None else models / ADAPTER_FOLDER
    return load_dynamics_adapter(own) if own is not None and own.is_dir() else None


def _at(values: Tensor, marks: Tensor) -> Tensor:
    """Values (N, steps, 7) at places (M,) between them, linearly; the last beyond the end."""
    marks = marks.clamp_max(values.shape[1] - 1)
    before = marks.floor().long()
    after = (before + 1).clamp_max(values.shape[1] - 1)
    part = (marks - before).to(values)[:, None]
    return values[:, before] * (1 - part) + values[:, after] * part
