# SPDX-License-Identifier: Apache-2.0
"""The one interface of all backbones: noisy latents and conditions to raw output."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar

from torch import Tensor, nn

from vidplan_core.errors import ConfigError, ModelError
from vidplan_core.models.fields import require_ranges


@dataclass(frozen=True)
class Condition:
    """What an imagination is conditioned on, for every row of a batch.

    history: clean latents, the present last, (batch, history, channels, height, width).
    actions: features per frame, history first, (batch, history - 1 + frames, features).
    text: embedding of the instruction, (batch, width), for backbones that read one.
    keep: 1 where actions and text are given, 0 where they are dropped, (batch,); None keeps
        all. Dropping them is the unconditional pass of classifier-free guidance.
    rays, warped: what the motion means in every view, see `view_geometry.py`; (batch, frames,
        6 or channels, height, width), for networks that know their cameras.
    """

    history: Tensor
    actions: Tensor
    text: Tensor | None = None
    keep: Tensor | None = None
    rays: Tensor | None = None
    warped: Tensor | None = None

    def rows(self, chosen: Tensor) -> Condition:
        """Some rows of the batch, by index."""
        given = ((field.name, getattr(self, field.name)) for field in fields(self))
        return replace(self, **{name: v[chosen] for name, v in given if v is not None})

    def without_actions(self) -> Condition:
        """The same past with actions and text dropped."""
        return replace(self, keep=self.actions.new_zeros(len(self.actions)))


@dataclass(frozen=True)
class ClipFormat:
    """The clips that a backbone is built for, whatever its own sizes are.

    Attributes:
        channels: of the latents.
        rows, columns: of the latents of all views together.
        history_frames: past frames, the present included.
        frames: of the prediction, the present included.
        features: per action.
        residual_std: what changes from the present are divided by; None where the modelled data
            are the latents themselves.
        sigma_min, sigma_max: the noise levels that it is conditioned on.
        cameras: whether conditions come with rays and the warped present.
    """

    channels: int
    rows: int
    columns: int
    history_frames: int
    frames: int
    features: int
    residual_std: float | None
    sigma_min: float
    sigma_max: float
    cameras: bool = False


@dataclass(frozen=True)
class BackboneConfig:
    """What the configurations of all backbones have in common.

    Attributes:
        kind: the backbone's name in the registry.
        widths: of the levels of the network.
        retired: keys that files of earlier versions hold and that never had an effect on it.
        takes_cameras: whether it can be conditioned on rays and the warped present.
        own_precision: whether it computes in the precision of its weights, without autocast.
    """

    kind: str = field(default='', init=False)
    widths: tuple[int, ...] = (64, 128, 192)

    retired: ClassVar[frozenset[str]] = frozenset()
    takes_cameras: ClassVar[bool] = False
    own_precision: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require_ranges(self, widths=(1, 16384))
        if not 1 <= len(self.widths) <= 8:
            raise ModelError(f'a backbone has 1 .. 8 levels, got the widths {self.widths}')

    @property
    def reads_text(self) -> bool:
        """Whether the network reads the instruction."""
        return False

    @property
    def reads_target_time(self) -> bool:
        """Whether it is conditioned on the time that a step aims at, as flow maps are."""
        return True


class Backbone(nn.Module, ABC):
    """Raw network F of the EDM preconditioning."""

    @abstractmethod
    def forward(
        self, noisy: Tensor, condition: Condition, start: Tensor, target: Tensor
    ) -> Tensor:
        """Raw output, shaped like `noisy`.

        Args:
            noisy: scaled noisy latents, (batch, frames, channels, height, width).
            condition: past, actions and instruction.
            start: flow time of `noisy`, (batch,).
            target: flow time that the step aims at, (batch,); equal to `start` it asks for
                the denoiser.
        """

    @abstractmethod
    def restart_target(self, gap: float) -> None:
        """Fix what the target time adds at one gap as a constant, and reset its embedding.

        A network that was trained for one gap only becomes a denoiser, ready for a flow map.
        """

    def keep_no_activations(self) -> None:
        """Compute activations again in the backward pass: a forward more, far less memory.

        Raises:
            ConfigError: this kind of network cannot.
        """
        able = 'enable_gradient_checkpointing'
        parts: list[Any] = [m for m in self.modules() if hasattr(m, able)]
        if not parts:
            raise ConfigError('this network cannot compute activations again: checkpointing false')
        for part in parts:
            part.enable_gradient_checkpointing()

    def grown(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weights of an earlier network of this kind, with whatever it lacked added."""
        return dict(state)
