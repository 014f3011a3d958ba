# SPDX-License-Identifier: Apache-2.0
"""Where a camera is, from a tag that the arm moves before it, or that it moves before the tag.

With the camera on a stand the tag is fixed to the flange; with the camera on the flange the tag
lies still. In both cases, with G the flange's pose in the base (or its inverse), X the camera's
pose in the base (or on the flange) and Y the tag's pose on the flange (or in the base), what the
camera sees of a point p of the tag is X^-1 G Y p.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from vidplan_core.data.calibration.lens import Lens
from vidplan_core.data.calibration.tag import Tag
from vidplan_core.errors import VidPlanError

Array = NDArray[np.float64]

#: Fewer looks than these do not say how far off the result is.
LEAST_LOOKS = 8
# Turns about at least two axes that differ so much, as standard deviations, rad, are needed.
_LEAST_SPREAD_RAD = 0.12
# A corner that is further off than this counts less, pixels.
_ROBUST_PX = 1.0
# First guesses come from so many looks each, so many times.
_GUESS_OF, _GUESSES = 5, 24
# With a larger error something else is wrong, pixels.
_MOST_RMS_PX = 3.0


class CalibrationError(VidPlanError):
    """Looks at a tag, or transforms, from which no place of a camera follows."""

    code = 'CALIBRATION_FAILED'


@dataclass(frozen=True, eq=False)
class TagLook:
    """One picture of the tag.

    Attributes:
        flange: pose (4, 4) of the flange in the base frame.
        corners: of the tag (4, 2), pixels, as `Tag.find` orders them.
    """

    flange: Array
    corners: Array


@dataclass(frozen=True, eq=False)
class Calibration:
    """Where a camera is, and how well that is known.

    Attributes:
        camera: pose (4, 4) of its optical frame in the base, or on the flange.
        tag: pose (4, 4) of the tag on the flange, or in the base.
        rms_px: of the distances of the corners from where they should be, pixels.
        worst_px: the largest of them.
        spread_m: how far the camera goes at most when one look is left out, m.
        spread_rad: how far it turns then, rad.
        looks: how many.
    """

    camera: Array
    tag: Array
    rms_px: float
    worst_px: float
    spread_m: float
    spread_rad: float
    looks: int


def calibrate(looks: Sequence[TagLook], tag: Tag, lens: Lens, *, on_flange: bool) -> Calibration:
    """Find a camera's place.

    Args:
        looks: of the tag, from poses that differ in place and turn.
        tag: what was printed.
        lens: of the camera.
        on_flange: whether the camera is on the flange; else it stands, and the tag is there.

    Raises:
        CalibrationError: too few looks, too similar ones, or ones that do not fit together.
    """
    _require_spread(looks)
    chain: Array = np.stack([look.flange for look in looks])
    seen = np.stack([lens.straightened(look.corners) for look in looks])
    problem = _Problem(np.asarray(np.linalg.inv(chain)) if on_flange else chain, seen, tag, lens)
    best = problem.solve()
    errors = np.linalg.norm(problem.errors(best), axis=-1)
    rms_px = float(np.sqrt((errors**2).mean()))
    if rms_px > _MOST_RMS_PX:
        raise CalibrationError(
            f'the looks do not fit together: corners are {rms_px:.1f} pixels off. Is the tag '
            f'fixed, its black side {tag.size_m:g} m, the lens that of these pictures, did the '
            'arm rest, and is the robot the right one?'
        )
    left_out = [problem.without(index).refined(best) for index in range(len(looks))]
    spreads = [_apart(_pose(best[:6]), _pose(other[:6])) for other in left_out]
    return Calibration(
        _pose(best[:6]), _pose(best[6:]), rms_px, float(errors.max()),
        max(m for m, _ in spreads), max(rad for _, rad in spreads), len(looks),
    )  # fmt: skip


def _require_spread(looks: Sequence[TagLook]) -> None:
    if len(looks) < LEAST_LOOKS:
        raise CalibrationError(
            f'the tag was found in {len(looks)} pictures of a resting arm, {LEAST_LOOKS} are '
            'needed and 15 are good: is it whole, sharp and lit in the picture?'
        )
    turns = Rotation.from_matrix(np.stack([look.flange[:3, :3] for look in looks]))
    away = (turns.mean().inv() * turns).as_rotvec()
    spread = np.linalg.svd(away, compute_uv=False) / np.sqrt(len(looks))
    if spread[1] < _LEAST_SPREAD_RAD:
        raise CalibrationError(
            f'the poses are too similar: the flange turns by {np.degrees(spread[0]):.0f} and '
            f'{np.degrees(spread[1]):.0f} degrees about two axes; at least '
            f'{np.degrees(_LEAST_SPREAD_RAD):.0f} about both are needed: tilt the hand by 20 to '
            '40 degrees to all sides'
        )


class _Problem:
    """Twelve numbers, the camera's pose and the tag's, against corners in pictures."""

    def __init__(self, chain: Array, seen: Array, tag: Tag, lens: Lens) -> None:
        """Take the poses G (N, 4, 4) and the corners (N, 4, 2), pixels, without distortion."""
        self._chain, self._seen, self._tag, self._lens = chain, seen, tag, lens
        self._corners = np.c_[tag.corners_m, np.ones(4)]

    def without(self, index: int) -> _Problem:
        """Return the problem without one of the looks."""
        chain, seen = (np.delete(part, index, axis=0) for part in (self._chain, self._seen))
        return _Problem(chain, seen, self._tag, self._lens)

    def errors(self, numbers: Array) -> Array:
        """How far corners (N, 4, 2) are from where they should be, pixels."""
        camera, tag = _pose(numbers[:6]), _pose(numbers[6:])
        points = (np.linalg.inv(camera) @ self._chain @ tag @ self._corners.T).swapaxes(1, 2)
        depth = np.maximum(points[..., 2:3], 1e-3)
        places = points[..., :2] / depth * self._lens.focal + self._lens.centre
        return np.asarray(places - self._seen)

    def refined(self, start: Array) -> Array:
        """Return the twelve numbers that fit best, near a start."""
        found = least_squares(
            lambda numbers: self.errors(numbers).ravel(), start, loss='soft_l1',
            f_scale=_ROBUST_PX, x_scale='jac', max_nfev=200,
        )  # fmt: skip
        return np.asarray(found.x)

    def solve(self) -> Array:
        """Return the twelve numbers that fit best.

        First guesses come from a few looks each: a tag that is seen small has two turns that fit
        it nearly as well, so that some looks mislead.
        """
        seen_tags = np.stack([self._tag_pose(corners) for corners in self._seen])
        random, count = np.random.default_rng(0), len(self._chain)
        guesses = [_linear(self._chain, seen_tags)]
        for _ in range(_GUESSES):
            some = random.choice(count, min(_GUESS_OF, count), replace=False)
            guesses.append(_linear(self._chain[some], seen_tags[some]))
        guesses.sort(key=lambda guess: float(np.median(np.abs(self.errors(guess)))))
        found = [self.refined(guess) for guess in guesses[:3]]
        return min(found, key=lambda numbers: float(np.median(np.abs(self.errors(numbers)))))

    def _tag_pose(self, corners: Array) -> Array:
        """Pose (4, 4) of the tag before the camera, from one picture."""
        _, turn, place = cv2.solvePnP(
            self._tag.corners_m, corners, self._lens.matrix, None,
            flags=cv2.SOLVEPNP_IPPE_SQUARE,
        )  # fmt: skip
        return _pose(np.r_[np.ravel(turn), np.ravel(place)])


def _linear(chain: Array, seen: Array) -> Array:
    """Return X and Y, twelve numbers, of X T = G Y by linear least squares, first of turns."""
    eye = np.eye(3)
    # Of a row-wise vec: vec(R_x R_t) = (1 x R_t^T) vec(R_x), vec(R_g R_y) = (R_g x 1) vec(R_y).
    rows = [
        np.c_[np.kron(eye, t[:3, :3].T), -np.kron(g[:3, :3], eye)] for g, t in zip(chain, seen)
    ]
    null = np.linalg.svd(np.concatenate(rows))[2][-1]
    turns = [null[:9].reshape(3, 3), null[9:].reshape(3, 3)]
    sign = np.sign(np.linalg.det(turns[0])) or 1.0
    turn_x, turn_y = (_nearest_turn(sign * turn) for turn in turns)
    # R_x t_t + t_x = R_g t_y + t_g
    left = np.concatenate([np.c_[eye, -g[:3, :3]] for g in chain])
    right = np.concatenate([g[:3, 3] - turn_x @ t[:3, 3] for g, t in zip(chain, seen)])
    places = np.linalg.lstsq(left, right)[0]
    vectors = Rotation.from_matrix(np.stack([turn_x, turn_y])).as_rotvec()
    return np.r_[vectors[0], places[:3], vectors[1], places[3:]]


def _nearest_turn(matrix: Array) -> Array:
    u, _, v = np.linalg.svd(matrix)
    return np.asarray(u @ np.diag([1.0, 1.0, np.linalg.det(u @ v)]) @ v)


def _pose(numbers: Array) -> Array:
    """Pose (4, 4) of a rotation vector, rad, and a position, m."""
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_rotvec(numbers[:3]).as_matrix()
    pose[:3, 3] = numbers[3:]
    return pose


def _apart(pose: Array, other: Array) -> tuple[float, float]:
    """Distance, m, and angle, rad, between two poses (4, 4)."""
    turn = Rotation.from_matrix(pose[:3, :3].T @ other[:3, :3]).magnitude()
    return float(np.linalg.norm(pose[:3, 3] - other[:3, 3])), float(turn)
