# SPDX-License-Identifier: Apache-2.0
"""Planted hallucinations: imagined latents in which a thing has moved where it is not.

A planner that trusts every imagination takes the motion whose imagination flatters it most
("world-model hacking"). To see whether judged uncertainty prevents that, things are planted
where no motion could have brought them: `RandomPhantoms` anywhere, for heads to learn what
hallucinations look like, `PhantomWorldModel` right under the tool, for tests to tempt a planner.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from vidplan_core.data.action import PoseChunk
from vidplan_core.errors import ConfigError
from vidplan_core.geometry.camera import Camera
from vidplan_core.world_model.sampling.sampler import SamplingConfig
from vidplan_core.world_model.world_model import Context, Imagination, WorldModel

# Radius of what is planted, in latent cells of 8 pixels: the largest objects of the cell in its
# side views, and what random phantoms vary between.
RADIUS = 2.2
RADII = (1.0, 3.0)
# Motions within this cosine of the injected one see the phantom.
SAME_WAY = 0.9
SHORTEST_M = 0.01


def paste(
    latents: Tensor, source: Tensor, origin: Tensor, place: Tensor, radius: Tensor
) -> Tensor:
    """Copy a round patch of one picture's latents into others, with a soft edge.

    Args:
        latents: to paint into, (batch, frames, channels, rows, columns).
        source: what the patch is cut from, (batch, channels, rows, columns).
        origin: row and column of the patch's centre in `source`, (batch, 2).
        place: the same in every frame of `latents`, (batch, frames, 2); outside is nothing.
        radius: in cells, (batch,).
    """
    frames, (rows, columns) = latents.shape[1], latents.shape[-2:]
    away = _cells(latents) - place[..., None, None]
    mask = torch.exp(-((away.square().sum(2) / radius.square()[:, None, None, None]) ** 2))
    at = origin[:, None, :, None, None] + away
    grid = torch.stack([2 * at[:, :, 1] / (columns - 1) - 1, 2 * at[:, :, 0] / (rows - 1) - 1], -1)
    repeated = source[:, None].expand(-1, frames, -1, -1, -1).flatten(0, 1)
    patch = F.grid_sample(repeated, grid.flatten(0, 1), padding_mode='border', align_corners=True)
    return torch.lerp(latents, patch.unflatten(0, (-1, frames)), mask[:, :, None])


def erase(latents: Tensor, place: Tensor, radius: Tensor) -> Tensor:
    """Fill a round patch of every frame with the frame's median; arguments as in `paste`."""
    away = (_cells(latents) - place[..., None, None]).square().sum(2)
    mask = torch.exp(-((away / radius.square()[:, None, None, None]) ** 2))
    rest = latents.flatten(-2).median(-1).values[..., None, None].expand_as(latents)
    return torch.lerp(latents, rest, mask[:, :, None])


def _cells(latents: Tensor) -> Tensor:
    """Row and column of every cell, (1, 1, 2, rows, columns)."""
    axes = (torch.arange(size).to(latents) for size in latents.shape[-2:])
    return torch.stack(torch.meshgrid(*axes, indexing='ij'))[None, None]


@dataclass(frozen=True)
class RandomPhantoms:
    """Plants things at random places in the new frames of a share of imagined clips.

    Attributes:
        share: of the clips that get one, in [0, 1].
        views: pictures stacked in the latents.
        seed: of everything drawn; drawn anew for every call's `number`.
    """

    share: float
    views: int
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0.0 <= self.share <= 1.0:
            raise ConfigError(f'share of phantoms = {self.share}, allowed 0 .. 1')

    def inject(self, latents: Tensor, present: Tensor, number: int) -> tuple[Tensor, Tensor]:
        """Latents with phantoms in them, and which clips have one, bool (batch,).

        What stands out in the present view is moved to a random place, in every view of a
        such clip on its own; half of the time it vanishes from where it was.

        Args:
            latents: imagined new frames, (batch, frames, channels, views*rows, columns).
            present: of the same clips, (batch, channels, views*rows, columns).
            number: of the batch; the same number plants the same phantoms.
        """
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + number)
        chosen = torch.rand(len(latents), generator=generator) < self.share
        seen = latents.unflatten(3, (self.views, -1)).permute(0, 3, 1, 2, 4, 5)
        source = present.unflatten(2, (self.views, -1)).transpose(1, 2)
        painted = _moved(seen.flatten(0, 1), source.flatten(0, 1), generator)
        painted = painted.unflatten(0, (-1, self.views)).permute(0, 2, 3, 1, 4, 5).flatten(3, 4)
        chosen = chosen.to(latents.device)
        return torch.where(chosen[:, None, None, None, None], painted, latents), chosen


def _moved(latents: Tensor, source: Tensor, generator: torch.Generator) -> Tensor:
    """Views (batch, frames, channels, rows, columns) with something of `source` elsewhere."""
    batch, frames = latents.shape[:2]
    origin = _standing_out(source, generator)
    size = torch.tensor(latents.shape[-2:]) - 1.0
    place = (torch.rand(batch, 2, generator=generator) * size).to(latents)
    radius = torch.empty(batch).uniform_(*RADII, generator=generator).to(latents)
    vanishes = (torch.rand(batch, generator=generator) < 0.5).to(latents.device)
    gone = erase(latents, origin[:, None].expand(-1, frames, -1), radius)
    left = torch.where(vanishes[:, None, None, None, None], gone, latents)
    return paste(left, source, origin, place[:, None].expand(-1, frames, -1), radius)


def _standing_out(source: Tensor, generator: torch.Generator) -> Tensor:
    """A random cell (batch, 2) of each picture, likelier the more it differs from the rest."""
    rest = source.flatten(-2).median(-1).values[..., None, None]
    contrast = (source - rest).square().sum(1).flatten(1).cpu().float() + 1e-6
    cell = torch.multinomial(contrast, 1, generator=generator)[:, 0].to(source.device)
    columns = source.shape[-1]
    return torch.stack([cell // columns, cell % columns], -1).to(source)


@dataclass(frozen=True)
class HallucinationInjection:
    """Which motions get a hallucination, and which.

    Attributes:
        direction: of the motions that get it, (3,), base frame.
        thing: true place of what is planted, (3,), base frame, m.
        place: where it is planted, (3,), base frame, m.
    """

    direction: Tensor
    thing: Tensor
    place: Tensor


class PhantomWorldModel(WorldModel):
    """The given world model, but motions one way seem to bring a thing where it is not.

    It shares everything with the given one. Until `injection` is set it imagines the same.
    """

    def __init__(self, model: WorldModel, cameras: Mapping[str, Camera]) -> None:
        torch.nn.Module.__init__(self)
        self.__dict__.update(model.__dict__)
        self._cameras_of_views = dict(cameras)
        self.injection: HallucinationInjection | None = None

    def imagine(
        self, context: Context, chunk: PoseChunk, sampling: SamplingConfig, seed: int = 0
    ) -> Imagination:
        """What the given model imagines, with the phantom in injected motions from frame 1 on."""
        clean = super().imagine(context, chunk, sampling, seed)
        if self.injection is None:
            return clean
        painted = self._painted(clean.latents, context, chunk, self.injection)
        chosen = self._affected(chunk, self.injection)[:, None, None, None, None]
        later = torch.arange(chunk.frames, device=chosen.device)[None, :, None, None, None] > 0
        return replace(clean, latents=torch.where(chosen & later, painted, clean.latents))

    def _affected(self, chunk: PoseChunk, injection: HallucinationInjection) -> Tensor:
        """Which motions go the injected way, bool (candidates,)."""
        motion = chunk.position[:, -1] - chunk.position[:, 0]
        along = motion @ F.normalize(injection.direction.to(motion), dim=0)
        length = motion.norm(dim=-1)
        return (along >= SAME_WAY * length) & (length > SHORTEST_M)

    def _painted(
        self,
        latents: Tensor,
        context: Context,
        chunk: PoseChunk,
        injection: HallucinationInjection,
    ) -> Tensor:
        """Latents in which the thing has moved in every view that shows it."""
        views = len(self.config.views)
        pictures = list(latents.unflatten(3, (views, -1)).unbind(3))
        present = context.latents[:, -1].unflatten(2, (views, -1))
        radius = latents.new_full((len(latents),), RADIUS)
        now = context.poses.position[:, -1], context.poses.rotation[:, -1]
        then = chunk.position, chunk.rotation
        origins = [self._cell(camera, injection.thing, *now) for camera in self._views]
        donor = _best_shown([origin[0] for origin in origins], pictures[0].shape[-2:])
        for view, camera in enumerate(self._views):
            shown = _inside(origins[view][0], pictures[view].shape[-2:])
            giver = view if shown else donor
            source = present[:, :, giver].expand(len(latents), -1, -1, -1)
            origin = origins[giver].expand(len(latents), -1)
            left = erase(pictures[view], self._cell(camera, injection.thing, *then), radius)
            place = self._cell(camera, injection.place, *then)
            pictures[view] = paste(left, source, origin, place, radius)
        return torch.stack(pictures, 3).flatten(3, 4)

    @property
    def _views(self) -> list[Camera]:
        return [self._cameras_of_views[view] for view in self.config.views]

    def _cell(self, camera: Camera, point: Tensor, position: Tensor, rotation: Tensor) -> Tensor:
        """Row and column (..., 2) of a point's latent cell, seen from flange poses (...)."""
        across, down = camera.project(point.to(position), position, rotation).unbind(-1)
        rows, columns = self.config.height // 8, self.config.width // 8
        return torch.stack([down * rows, across * columns], -1) - 0.5


def _inside(cell: Tensor, size: tuple[int, ...] | torch.Size) -> bool:
    row, column = cell.tolist()
    return -0.5 <= row <= size[0] - 0.5 and -0.5 <= column <= size[1] - 0.5


def _best_shown(cells: list[Tensor], size: tuple[int, ...] | torch.Size) -> int:
    """The view whose cell is nearest to its middle; shows the thing if any view does."""
    middle = cells[0].new_tensor([0.5 * (size[0] - 1), 0.5 * (size[1] - 1)])
    apart = torch.stack([((cell - middle) / middle).abs().amax() for cell in cells])
    return int(apart.argmin())
