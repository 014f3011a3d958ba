# SPDX-License-Identifier: Apache-2.0
"""Which of several things of one name is meant, by where the views show them.

Left, right, front and back are those of the pictures of the cameras that stand beside the robot:
what one of them shows otherwise than another is not decided. Near and far are from the tool.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from vidplan_core.errors import TargetNotFoundError
from vidplan_core.geometry.camera import Camera
from vidplan_core.geometry.fk import tcp_position
from vidplan_core.language.choice import PlaceChoice
from vidplan_core.language.instruction import Instruction
from vidplan_core.planner.target.in_view import instead
from vidplan_core.planner.target.locating import Chosen, TargetLocator

# Places of two views within this of each other are one thing, m; as `memory.AGREE_M`.
SAME_M = 0.06
# One thing is before another in an order by this much at least, m.
CLEAR_M = 0.02
# What is beside something is within this of it, m.
BESIDE_M = 0.25
MOST_THINGS = 6


@dataclass(frozen=True, eq=False)
class ChosenThings:
    """Which things an instruction means, where its words choose among several.

    Attributes:
        target: None where its name says all; the same of `destination`.
    """

    target: Chosen | None = None
    destination: Chosen | None = None

    def at(self, place: Tensor | None) -> ChosenThings:
        """The same with the target where it is by now, (3,) m."""
        if self.target is None or place is None:
            return self
        return replace(self, target=Chosen(place, self.target.others))

    def kept(
        self, locator: TargetLocator, maps: Tensor, position: Tensor, rotation: Tensor
    ) -> Tensor:
        """Maps (batch, 2, views, rows, columns) of both without what else has their names.

        position (batch, 3) and rotation (batch, 3, 3) are of the flange.
        """
        both = [
            maps[:, k] if one is None
            else locator.without_others(maps[:, k], position, rotation, one)
            for k, one in enumerate((self.target, self.destination))
        ]  # fmt: skip
        return torch.stack(both, 1)


@dataclass(frozen=True, eq=False)
class Chooser:
    """Tells things of one name apart in what the views show now.

    Attributes:
        locator: finds names in views.
        images: (1, views, 3, height, width) in [0, 1].
        position: (1, 3) of the flange, m, base frame; rotation (1, 3, 3).
    """

    locator: TargetLocator
    images: Tensor
    position: Tensor
    rotation: Tensor

    def things_of(self, wanted: Instruction) -> ChosenThings:
        """Which things an instruction means; errors as of `choose`."""
        target = destination = None
        if wanted.which is not None:
            target = self.choose(wanted.target, wanted.which)
        if wanted.which_destination is not None and wanted.destination is not None:
            destination = self.choose(wanted.destination, wanted.which_destination)
        return ChosenThings(target, destination)

    def choose(self, name: str, choice: PlaceChoice) -> Chosen:
        """Return the thing of a name that a choice means.

        Raises:
            TargetNotFoundError: there is none, or which one it is cannot be told; the message
                says why.
        """
        things = self.things(name)
        said = f"'{name}' ({choice})"
        if choice.other:
            kept = self._standing_so(things, choice)
        else:
            kept = self._in_order(things, choice, said)
        if len(kept) != 1:
            raise TargetNotFoundError(
                f'{said}: {len(kept)} of the {len(things)} that the views show stand clearly so; '
                'say what it looks like'
            )
        others = [k for k in range(len(things)) if k != kept[0]]
        return Chosen(things[kept[0]], things[others])

    @torch.no_grad()
    def things(self, name: str) -> Tensor:
        """Places (N, 3) of everything of a name that the standing cameras show.

        Raises:
            TargetNotFoundError: they show none, or do not agree.
        """
        found = [self._in_view(name, number, camera) for number, camera in self._standing()]
        clusters: list[list[Tensor]] = []
        for place in (place for view in found for place in view):
            near = [c for c in clusters if float((c[0] - place)[:2].norm()) < SAME_M]
            if near:
                near[0].append(place)
            else:
                clusters.append([place])
        if not clusters:
            raise TargetNotFoundError(
                f"no view shows '{name}'; {instead(self.locator, self.images)}"
            )
        if any(len(cluster) < len(found) for cluster in clusters):
            raise TargetNotFoundError(
                f"the views do not agree how many '{name}' there are; move what hides one"
            )
        return torch.stack([torch.stack(cluster).mean(0) for cluster in clusters])

    def _standing(self) -> list[tuple[int, Camera]]:
        """The cameras beside the robot, with their numbers; all where none stands there."""
        every = list(enumerate(self.locator.cameras.values()))
        return [one for one in every if one[1].mount == 'base'] or every

    def _in_view(self, name: str, number: int, camera: Camera) -> list[Tensor]:
        """Places (3,) of the regions of a view that show the name, the surest first."""
        scorer, places = self.locator.scorer, []
        maps = scorer.relevancy(self.images[:, number], name)
        for _ in range(MOST_THINGS):
            found = scorer.localise(maps)
            if float(found.peak[0]) < self.locator.threshold:
                break
            centre = found.centroid.to(self.position)
            height_m = self.locator.height_m
            places.append(camera.on_plane(centre, self.position, self.rotation, height_m)[0])
            maps = maps * (1.0 - scorer.region(maps))
        return places

    def _standing_so(self, things: Tensor, choice: PlaceChoice) -> list[int]:
        other = self.things(choice.other)
        if len(other) != 1:
            raise TargetNotFoundError(
                f"the views show {len(other)} '{choice.other}'; name another thing that it is by"
            )
        apart = (things - other[0])[:, :2].norm(dim=-1)
        if choice.by in ('near', 'far', 'beside'):
            sign = -1.0 if choice.by == 'far' else 1.0
            first = _nth(sign * apart, 1)
            return [k for k in first if choice.by != 'beside' or float(apart[k]) < BESIDE_M]
        keys = torch.stack([self._along(choice.by, torch.cat([other, things]), c)
                            for _, c in self._standing()])  # fmt: skip
        ahead = (keys[:, :1] - keys[:, 1:] > CLEAR_M).all(0)
        return [k for k in range(len(things)) if bool(ahead[k])]

    def _in_order(self, things: Tensor, choice: PlaceChoice, said: str) -> list[int]:
        count = len(things)
        if choice.number > count or choice.by == 'middle' and (count < 3 or count % 2 == 0):
            raise TargetNotFoundError(f'{said}: the views show {count} of them')
        if choice.by in ('near', 'far'):
            tool = tcp_position(self.position, self.rotation)[0]
            apart = (things - tool).norm(dim=-1)
            return _nth(apart if choice.by == 'near' else -apart, choice.number)
        by, number = choice.by, choice.number
        if by == 'middle':
            by, number = 'left', count // 2 + 1
        orders = [_nth(self._along(by, things, camera), number) for _, camera in self._standing()]
        return orders[0] if all(order == orders[0] for order in orders) else []

    def _along(self, by: str, things: Tensor, camera: Camera) -> Tensor:
        """How far (N,) things are from the given side of a camera's picture, m on the table."""
        away = self.rotation.new_tensor(camera.rotation)
        right, ahead = away[:2, 0], away[:2, 2] / away[:2, 2].norm()
        axis = {'left': right, 'right': -right, 'front': ahead, 'back': -ahead}[by]
        return things[:, :2] @ axis


def _nth(keys: Tensor, number: int) -> list[int]:
    """Which of keys (N,) is the `number`-th from the least; none where another is as good."""
    order = keys.argsort()
    ordered = keys[order]
    place = number - 1
    beside = [ordered[k] for k in (place - 1, place + 1) if 0 <= k < len(keys)]
    clear = all(abs(float(key - ordered[place])) > CLEAR_M for key in beside)
    return [int(order[place])] if clear else []
