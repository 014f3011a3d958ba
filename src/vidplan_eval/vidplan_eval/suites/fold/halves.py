# SPDX-License-Identifier: Apache-2.0
"""How near cloth is to being folded in half: along a diagonal or along a middle line."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vidplan_sim.objects import cloth

PIXEL_M = 0.001
CANVAS = 512  # pixels; wider than any cloth that is near to folded


@dataclass(frozen=True)
class Fold:
    """A way to fold a square of side 1 around the origin: what lies along `normal` is mirrored.

    Attributes:
        name: 'diagonal' or 'middle'.
        normal: unit vector (2,) across the line of the fold.
    """

    name: str
    normal: tuple[float, float]

    def folded(self, points: np.ndarray) -> np.ndarray:
        """Where the fold puts points (..., 2) of the flat square."""
        normal = np.array(self.normal)
        height = np.maximum(points @ normal, 0.0)
        mirrored: np.ndarray = points - 2.0 * height[..., None] * normal
        return mirrored


_D = float(np.sqrt(0.5))
FOLDS = (
    *(Fold('diagonal', normal) for normal in ((_D, _D), (-_D, -_D), (_D, -_D), (-_D, _D))),
    *(Fold('middle', normal) for normal in ((1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0))),
)
_CORNERS = np.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, 0.5], [0.5, -0.5]])


@dataclass(frozen=True)
class Folded:
    """How near a cloth is to a fold.

    Attributes:
        fold: its name.
        corner_error_m: the largest distance between corners that should lie on each other.
        overlap: intersection over union of the cloth's outline with the ideal half, which lies
            where it fits the cloth best.
    """

    fold: str
    corner_error_m: float
    overlap: float


def nearest_fold(mesh: np.ndarray) -> Folded:
    """The fold that a cloth comes nearest to, by its overlap among those whose corners meet best.

    Args:
        mesh: vertices (rows, columns, 3) of the cell's cloth, m.
    """
    errors = [corner_error(mesh, fold) for fold in FOLDS]
    best = min(range(len(FOLDS)), key=errors.__getitem__)
    alike = [k for k, error in enumerate(errors) if error <= errors[best] + 1e-9]
    overlaps = {k: overlap(mesh, FOLDS[k]) for k in alike}
    chosen = max(alike, key=overlaps.__getitem__)
    return Folded(FOLDS[chosen].name, errors[chosen], overlaps[chosen])


def corner_error(mesh: np.ndarray, fold: Fold) -> float:
    """The largest distance, m, between corners that the fold lays on each other."""
    last = np.array(mesh.shape[:2]) - 1
    places = {tuple(c): mesh[tuple(np.round((c + 0.5) * last).astype(int))] for c in _CORNERS}
    moved = [(c, fold.folded(c)) for c in _CORNERS if c @ np.array(fold.normal) > 1e-9]
    return max(float(np.linalg.norm(places[tuple(a)] - places[tuple(np.round(b, 6) + 0.0)]))
               for a, b in moved)


def overlap(mesh: np.ndarray, fold: Fold) -> float:
    """Intersection over union, in [0, 1], of a cloth seen from above with its ideal half."""
    flat = _material(mesh.shape[:2])
    ideal = cloth.SIDE_M * fold.folded(flat).reshape(-1, 2)
    seen = mesh[..., :2].reshape(-1, 2)
    turn, shift = _fit(ideal, seen)
    half = [c for c in _CORNERS if c @ np.array(fold.normal) <= 1e-9]
    if fold.name == 'middle':
        half += [0.5 * (c + fold.folded(c)) for c in _CORNERS if c @ np.array(fold.normal) > 0]
    outline = cv2.convexHull((cloth.SIDE_M * np.array(half)).astype(np.float32)).reshape(-1, 2)
    middle = seen.mean(0)
    wanted = _drawn([outline @ turn.T + shift - middle])
    covered = _drawn([seen[corners] - middle for corners in cloth.triangles()])
    return float((wanted & covered).sum() / max(int((wanted | covered).sum()), 1))


def _material(shape: tuple[int, ...]) -> np.ndarray:
    """Places (rows, columns, 2) of the vertices in the flat square of side 1."""
    axes = [np.linspace(-0.5, 0.5, n) for n in shape]
    return np.stack(np.meshgrid(*axes, indexing='ij'), axis=-1)


def _fit(ideal: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotation (2, 2) and shift (2,) that lay points (N, 2) onto others best (Kabsch 1976)."""
    start, end = ideal.mean(0), seen.mean(0)
    u, _, vt = np.linalg.svd((ideal - start).T @ (seen - end))
    mirror = np.diag([1.0, np.linalg.det(vt.T @ u.T)])
    turn = vt.T @ mirror @ u.T
    return turn, end - turn @ start


def _drawn(polygons: list[np.ndarray]) -> np.ndarray:
    """Pixels (CANVAS, CANVAS), 0 or 1, inside convex polygons (N, 2), m, around the origin."""
    canvas = np.zeros((CANVAS, CANVAS), np.uint8)
    for polygon in polygons:
        pixels = np.round(polygon / PIXEL_M + CANVAS / 2).astype(np.int32)
        cv2.fillConvexPoly(canvas, pixels, 1)
    return canvas
