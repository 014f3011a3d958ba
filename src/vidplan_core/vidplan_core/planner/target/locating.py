# SPDX-License-Identifier: Apache-2.0
"""Where the views show the target: a phrase's region in each view, as places in the room.

The paper centres the relevant region in the picture. Here the picture's centre is the tool:
the region's centroid in an imagined view is followed along its ray down to the target's height
and compared with the imagined tool. In the wrist view, which moves with the hand, that is the
offset between the region and the tool's place in the very same imagined picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from vidplan_core.geometry.camera import Camera
from vidplan_core.heads.grounding import PEAK_SCALE
from vidplan_core.language.relevancy import Localisation

# Places farther than this from where the target was seen belong to something else.
GATE_M = 0.10
# Typical error of the remembered place, m: trusted where the imagined views show nothing.
MEMORY_TRUST_M = 0.10


class Scorer(Protocol):
    """Dense relevancy of a phrase and the place of its strongest region."""

    def relevancy(self, images: Tensor, phrase: str) -> Tensor:
        """Maps (batch, rows, columns) in [0, 1] of images (batch, 3, height, width)."""
        ...

    def localise(self, relevancy: Tensor) -> Localisation:
        """Peak (batch,) and centroid (batch, 2), x and y in [0, 1]."""
        ...

    def region(self, relevancy: Tensor) -> Tensor:
        """1 on the strongest region of maps (batch, rows, columns), 0 elsewhere."""
        ...


@dataclass(frozen=True, eq=False)
class Chosen:
    """One of several things of one name, and where the others are.

    Attributes:
        place: (3,) m, base frame.
        others: (N, 3) m, base frame; none where it is the only one.
    """

    place: Tensor
    others: Tensor


@dataclass(frozen=True)
class Sighting:
    """Where the views show the target.

    Attributes:
        points: (..., views, 3) on the plane of the target's height, base frame, m.
        certainty: (..., views) in [0, 1].
        peaks: (..., views), relevancy in [0, 1].
        maps: (..., views, rows, columns).
        centroids: (..., views, 2), x and y in [0, 1] of the view, from its top left corner.
    """

    points: Tensor
    certainty: Tensor
    peaks: Tensor
    maps: Tensor
    centroids: Tensor


@dataclass(frozen=True, eq=False)
class TargetLocator:
    """Finds a phrase in views and fuses what they show.

    Attributes:
        scorer: whose relevancy is looked at.
        threshold: of a peak, from which on a phrase counts as seen, in [0, 1].
        cameras: one per view, by name.
        height_m: assumed height of a target's visible centre above the table.
        exact: whether gradients pass the views' agreement with the memory, too. Where no head
            looks at the imagined frames they leave it aside.
    """

    scorer: Scorer
    threshold: float
    cameras: Mapping[str, Camera]
    height_m: float
    exact: bool = False

    def of_views(self, numbers: Sequence[int]) -> TargetLocator:
        """The same for pictures of some views only, by number; of all where none is named."""
        if not numbers:
            return self
        known = list(self.cameras.items())
        return replace(self, cameras=dict(known[number] for number in numbers))

    @property
    def trust_m(self) -> Tensor:
        """Typical error of each view's place, (views,), m."""
        return torch.tensor([camera.trust_m for camera in self.cameras.values()])

    def look(
        self,
        images: Tensor,
        position: Tensor,
        rotation: Tensor,
        phrase: str,
        maps: Tensor | None = None,
        chosen: Chosen | None = None,
    ) -> Sighting:
        """Find the phrase in views (batch, views, 3, height, width) seen from flange poses.

        position (batch, 3), rotation (batch, 3, 3): of the flange, base frame. `maps` (batch,
        views, rows, columns) are the phrase's relevancy where it is known already; `chosen` is
        which of several things is looked for.
        """
        if maps is None:
            shape = images.shape[:2]
            maps = self.scorer.relevancy(images.flatten(0, 1), phrase).unflatten(0, shape)
        return self.locate(maps, position, rotation, chosen)

    def locate(
        self, maps: Tensor, position: Tensor, rotation: Tensor, chosen: Chosen | None = None
    ) -> Sighting:
        """Find what maps (batch, views, rows, columns) of a phrase show; else as for `look`."""
        shape = maps.shape[:2]
        if chosen is not None:
            maps = self.without_others(maps, position, rotation, chosen)
        located = self.scorer.localise(maps.flatten(0, 1))
        centroid = located.centroid.unflatten(0, shape).to(position.dtype)
        peaks = located.peak.unflatten(0, shape).to(position.dtype)
        certainty = torch.sigmoid((peaks - self.threshold) / PEAK_SCALE)
        points = self._on_table(centroid, position, rotation)
        return Sighting(points, certainty, peaks, maps, centroid)

    def without_others(
        self, maps: Tensor, position: Tensor, rotation: Tensor, chosen: Chosen
    ) -> Tensor:
        """Maps (batch, views, rows, columns) without the regions that show the others.

        A region belongs to the thing that its centre is nearest to on the table; position and
        rotation as for `look`.
        """
        places = torch.cat([chosen.place[None], chosen.others])[:, :2].to(position)
        for _ in range(len(chosen.others)):
            flat = maps.detach().flatten(0, 1)
            centroid = self.scorer.localise(flat).centroid.unflatten(0, maps.shape[:2])
            points = self._on_table(centroid.to(position.dtype), position, rotation)
            nearest = torch.cdist(points[..., :2], places.expand(len(points), -1, -1)).argmin(-1)
            region = self.scorer.region(flat).view_as(maps)
            maps = maps * (1.0 - region * (nearest > 0)[..., None, None])
        return maps

    def _on_table(self, centroid: Tensor, position: Tensor, rotation: Tensor) -> Tensor:
        """Points (batch, views, 3) of centroids (batch, views, 2) at a target's height."""
        points = [
            camera.on_plane(centroid[:, view], position, rotation, self.height_m)
            for view, camera in enumerate(self.cameras.values())
        ]
        return torch.stack(points, 1)

    def evidence(self, sighting: Sighting, memory: Tensor) -> Tensor:
        """What each view's place counts, (batch, views), 1/m^2: by memory, certainty, trust."""
        apart = (sighting.points - memory).square().sum(-1)
        apart = apart if self.exact else apart.detach()
        weight = sighting.certainty * torch.exp(-0.5 * apart / GATE_M**2)
        return weight / self.trust_m.to(weight).square()

    def fuse(self, sighting: Sighting, memory: Tensor) -> Tensor:
        """Target's place (batch, 3): views that agree with the memory, by certainty and trust."""
        weight = self.evidence(sighting, memory)
        faint = 1.0 / MEMORY_TRUST_M**2
        places = (weight[..., None] * sighting.points).sum(-2) + faint * memory
        return places / (weight.sum(-1, keepdim=True) + faint)
