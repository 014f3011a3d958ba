# SPDX-License-Identifier: Apache-2.0
"""The paper's picture of uncertainty: colours mixed in latent space, decoded, laid over frames.

Latents of plain blue, green and red pictures are blended by the estimate, element by element
(appendix A.4): 0 is blue, one half green, 1 red.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vidplan_core.world_model.world_model import WorldModel

COLOURS = ((0, 0, 255), (0, 255, 0), (255, 0, 0))
OPACITY = 0.5


def colour_latents(model: WorldModel) -> Tensor:
    """Normalised latents (3, channels, rows, columns) of plain blue, green and red views."""
    rows = len(model.config.views) * model.config.height
    colours = torch.tensor(COLOURS, dtype=torch.uint8, device=model.mean.device)
    plain = colours[:, None, None, None, :].expand(3, 1, rows, model.config.width, 3)
    return model.encode(plain)[:, 0]


def blend(estimate: Tensor, colours: Tensor) -> Tensor:
    """Mix the colours' latents.

    Args:
        estimate: uncertainty 0 .. 1, (..., channels or 1, rows, columns).
        colours: of `colour_latents`.

    Returns:
        Latents (..., channels, rows, columns).
    """
    blue, green, red = colours
    level = estimate.clamp(0.0, 1.0)
    towards_green = (2.0 * level).clamp_max(1.0)
    towards_red = (2.0 * level - 1.0).clamp_min(0.0)
    lower = torch.lerp(blue.expand_as(level * blue), green, towards_green)
    return torch.lerp(lower, red, towards_red)


@torch.no_grad()
def heat_map(
    model: WorldModel,
    estimate: Tensor,
    images: Tensor | None = None,
    opacity: float = OPACITY,
    span: tuple[float, float] = (0.0, 1.0),
    colours: Tensor | None = None,
) -> Tensor:
    """Pictures (batch, frames, views, 3, height, width) in [0, 1] of an estimate.

    Args:
        model: whose autoencoder encodes the colours and decodes the map.
        estimate: (batch, frames, channels or 1, rows, columns), entropy for instance.
        images: frames to lay the map over, shaped like the result; none gives the bare map.
        opacity: of the map over the frames, 0 .. 1.
        span: estimates that become blue and red.
        colours: of `colour_latents`, where they are known already.
    """
    low, high = span
    colours = colour_latents(model) if colours is None else colours
    shown = model.decode(blend((estimate - low) / (high - low), colours))
    return shown if images is None else torch.lerp(images.to(shown), shown, opacity)
