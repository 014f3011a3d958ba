# SPDX-License-Identifier: Apache-2.0
"""What commanded joint velocities make of the arm: joint positions, and from them flange poses.

A policy commands joint velocities, the world model reads poses. A small network, trained on
DROID, knows how the real controller follows: it predicts the joints' cumulative motion over one
second. Forward kinematics does the rest (the VidPlan paper says inverse, its code does forward).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from vidplan_core.data.action import PoseChunk
from vidplan_core.errors import ConfigError, ModelError
from vidplan_core.geometry.fk import flange_pose
from vidplan_core.models.fields import require_ranges
from vidplan_core.models.io import from_dict, load_weights, read_config, save_weights, to_dict
from vidplan_core.models.tensors import mismatches, not_finite, refuse, shapes
from vidplan_core.world_model.released.import_source import read_tensors

# Of the arms that the released adapter was trained on.
JOINTS = 7


@dataclass(frozen=True)
class DynamicsAdapterConfig:
    """Sizes and percentiles; the values are those that the released adapter was trained with.

    Attributes:
        steps: commands of a chunk.
        rate_hz: their rate.
        hidden: width of the network.
        velocity_p01, velocity_p99: commands that map to -1 and +1, in units of the command
            (DROID's policies command fractions of their largest velocity).
        delta_p01, delta_p99: motions since the start that -1 and +1 stand for, rad.
    """

    steps: int = 15
    rate_hz: float = 15.0
    hidden: int = 512
    velocity_p01: tuple[float, ...] = (
        -0.4077107, -0.79047304, -0.47850373, -0.8666644, -0.6729502, -0.5602032, -0.692411,
    )  # fmt: skip
    velocity_p99: tuple[float, ...] = (
        0.4900636, 0.7259861, 0.45910007, 0.79220384, 0.69864315, 0.648198, 0.810115,
    )  # fmt: skip
    delta_p01: tuple[float, ...] = (
        -0.2801219, -0.397792, -0.22935797, -0.3351759, -0.42025003, -0.36825255, -0.450706,
    )  # fmt: skip
    delta_p99: tuple[float, ...] = (
        0.2827909, 0.42184818, 0.33529875, 0.35958457, 0.375613, 0.44463825, 0.4697690,
    )  # fmt: skip

    def __post_init__(self) -> None:
        for name in ('velocity_p01', 'velocity_p99', 'delta_p01', 'delta_p99'):
            if len(getattr(self, name)) != JOINTS:
                raise ModelError(f'{name} needs {JOINTS} numbers, one per joint')
        require_ranges(self, steps=(1, 1024), rate_hz=(0.1, 1e4), hidden=(1, 16384))
        for what in ('velocity', 'delta'):
            low, high = getattr(self, f'{what}_p01'), getattr(self, f'{what}_p99')
            if any(below >= above for below, above in zip(low, high, strict=True)):
                raise ModelError(f'{what}_p01 must be below {what}_p99, got {low} and {high}')


class DynamicsAdapter(nn.Module):
    """Joint velocities to joint positions and flange poses, differentiable in both inputs."""

    def __init__(self, config: DynamicsAdapterConfig | None = None) -> None:
        super().__init__()
        self.config = config or DynamicsAdapterConfig()
        hidden, motion = self.config.hidden, self.config.steps * JOINTS
        self.net = nn.Sequential(
            nn.Linear(JOINTS + motion, hidden), nn.SiLU(),
            nn.Linear(hidden, hidden), nn.SiLU(),
            nn.Linear(hidden, motion),
        )  # fmt: skip

    def forward(self, q: Tensor, commands: Tensor) -> Tensor:
        """Joint angles (batch, steps, 7), rad, after each command.

        Args:
            q: present angles (batch, 7), rad.
            commands: joint velocities (batch, steps, 7) in the units of the configuration.
        """
        expected = (len(q), self.config.steps, JOINTS)
        if q.shape != (len(q), JOINTS) or commands.shape != expected:
            raise ConfigError(
                f'the adapter needs angles (batch, {JOINTS}) and commands (batch, '
                f'{self.config.steps}, {JOINTS}); got {tuple(q.shape)} and {tuple(commands.shape)}'
            )
        scaled = scaled_to(commands, self.config.velocity_p01, self.config.velocity_p99)
        predicted = self.net(torch.cat([q, scaled.flatten(1)], dim=1))
        return q[:, None] + self.motion(predicted.unflatten(1, expected[1:]))

    def motion(self, predicted: Tensor) -> Tensor:
        """Motion since the start (..., 7), rad, that the network's output means."""
        low = predicted.new_tensor(self.config.delta_p01)
        high = predicted.new_tensor(self.config.delta_p99)
        return (predicted + 1) / 2 * (high - low) + low

    def target(self, motion: Tensor) -> Tensor:
        """Inverse of `motion`: what the network is trained to predict."""
        return scaled_to(motion, self.config.delta_p01, self.config.delta_p99)

    def chunk(
        self,
        q: Tensor,
        commands: Tensor,
        closedness: Tensor,
        frames: int = 5,
        frame_period_s: float = 0.2,
    ) -> PoseChunk:
        """Poses (batch, frames) that a world model imagines, frame 0 the present.

        Args:
            q: present angles (batch, 7), rad.
            commands: see `forward`.
            closedness: of the gripper (batch, steps + 1), the present first, 0 open .. 1 closed.
            frames: of the chunk.
            frame_period_s: between two frames, s.

        Raises:
            ConfigError: the commands do not reach as far as the frames.
        """
        stride = round(frame_period_s * self.config.rate_hz)
        last = (frames - 1) * stride
        if stride < 1 or last > self.config.steps:
            raise ConfigError(
                f'{frames} frames of {frame_period_s} s need {last} commands at '
                f'{self.config.rate_hz} Hz; the adapter has {self.config.steps}'
            )
        angles = torch.cat([q[:, None], self(q, commands)], dim=1)[:, : last + 1 : stride]
        position, rotation = flange_pose(angles)
        return PoseChunk(position, rotation, closedness[:, : last + 1 : stride])


def scaled_to(values: Tensor, p01: tuple[float, ...], p99: tuple[float, ...]) -> Tensor:
    """Values (..., 7) with the percentiles at -1 and +1, not clipped."""
    low, high = values.new_tensor(p01), values.new_tensor(p99)
    return 2 * (values - low) / (high - low + 1e-8) - 1


def save_dynamics_adapter(folder: Path, adapter: DynamicsAdapter) -> None:
    """Write `folder`/config.json and weights.safetensors."""
    save_weights(folder, to_dict(adapter.config), adapter.state_dict(), None)


def load_dynamics_adapter(path: Path) -> DynamicsAdapter:
    """Adapter of a folder of ours or of a released file (`net.0.weight` ...), frozen.

    Raises:
        ModelError: missing, corrupt, or tensors that do not fit, by name and shape.
    """
    if path.is_dir():
        adapter = DynamicsAdapter(from_dict(DynamicsAdapterConfig, read_config(path)))
        load_weights(adapter, path)
    else:
        adapter, stored = DynamicsAdapter(), read_tensors(path)
        problems = mismatches(shapes(adapter.state_dict()), shapes(stored))
        refuse(path, problems + not_finite(stored))
        adapter.load_state_dict(stored)
    return adapter.eval().requires_grad_(False)
