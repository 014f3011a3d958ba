# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import pytest
import torch

from vidplan_core.data.action import (
    DROID_STATS,
    EULER_FEATURES,
    RELATIVE_FEATURES,
    PoseChunk,
    euler_features,
    relative_features,
)
from vidplan_core.geometry.se3 import euler_xyz_to_matrix, so3_exp

DOWN = torch.diag(torch.tensor([1.0, -1.0, -1.0]))


def chunk(
    moves: torch.Tensor, turns: torch.Tensor, closedness: torch.Tensor | None = None
) -> PoseChunk:
    """A gripper that points down, moved by (N, F, 3) and turned by (N, F, 3)."""
    position = torch.tensor([0.5, 0.0, 0.3]) + moves
    grip = torch.zeros(moves.shape[:2]) if closedness is None else closedness
    return PoseChunk(position, so3_exp(turns) @ DOWN, grip)


def test_relative_features_of_a_known_motion() -> None:
    moves = torch.tensor([[[0.0, 0, 0], [0.1, 0, 0]]])
    turns = torch.tensor([[[0.0, 0, 0], [0, 0, 0.2]]])
    features = relative_features(chunk(moves, turns, torch.tensor([[0.0, 1.0]])))
    assert features.shape == (1, 2, RELATIVE_FEATURES)
    c, s = math.cos(0.2), math.sin(0.2)
    # A turn about the base's +z is one about the gripper's -z, as it points down.
    later = [1 / 3, 0, 0, c, s, 0, s, -c, 0, 1, 1, 0, 0, 0, 0, -1, 1]
    now = [0, 0, 0, 1, 0, 0, 0, -1, 0, -1, 0, 0, 0, 0, 0, 0, 0]
    torch.testing.assert_close(features[0], torch.tensor([now, later]).float(), atol=1e-6, rtol=0)


def test_relative_features_are_relative_to_the_present() -> None:
    moves = torch.randn(3, 4, 3) * 0.05
    features = relative_features(chunk(moves, torch.zeros(3, 4, 3)), present=1)
    torch.testing.assert_close(
        features[..., 10:13], 10 * (moves - moves[:, 1:2]), atol=1e-5, rtol=0
    )


@pytest.mark.parametrize('features', [relative_features, euler_features])
def test_gradients_at_rest_are_finite_and_not_zero(features) -> None:  # noqa: ANN001
    moves = torch.zeros(2, 5, 3, requires_grad=True)
    turns = torch.zeros(2, 5, 3, requires_grad=True)
    # A yaw in the middle of its range, else clipping hides the gradient on purpose.
    described = features(chunk(moves, turns))
    for gradient in torch.autograd.grad(
        described.square().sum() + described.sum(), (moves, turns)
    ):
        assert gradient.isfinite().all()
        assert gradient.abs().sum() > 0


def test_euler_features_match_the_percentiles() -> None:
    for percentile, expected in ((DROID_STATS.p01, -1.0), (DROID_STATS.p99, 1.0)):
        values = torch.tensor(percentile, dtype=torch.float64)
        rotation = euler_xyz_to_matrix(values[3:6])
        features = euler_features(
            PoseChunk(values[None, None, :3], rotation[None, None], values[None, None, 6])
        )
        assert features.shape == (1, 1, EULER_FEATURES)
        torch.testing.assert_close(
            features, torch.full_like(features, expected), atol=1e-6, rtol=0
        )


@pytest.mark.parametrize(
    ('position', 'rotation', 'closedness'),
    [
        ((2, 5, 3), (2, 4, 3, 3), (2, 5)),
        ((5, 3), (5, 3, 3), (5,)),
        ((2, 5, 3), (2, 5, 3, 3), (2,)),
    ],
    ids=['frames', 'unbatched', 'closedness'],
)
def test_shapes_must_belong_together(position, rotation, closedness) -> None:  # noqa: ANN001
    with pytest.raises(ValueError, match='a pose chunk needs'):
        PoseChunk(torch.zeros(position), torch.zeros(rotation), torch.zeros(closedness))


def test_select_cat_and_expand() -> None:
    many = chunk(torch.randn(3, 4, 3), torch.randn(3, 4, 3))
    assert len(many) == 3
    assert many.frames == 4
    again = PoseChunk.cat([many.select(0), many.select(1), many.select(-1)])
    torch.testing.assert_close(again.position, many.position)
    assert len(many.select(1).expand(6)) == 6
    assert many.to(torch.float64).rotation.dtype == torch.float64
    with pytest.raises(IndexError):
        many.select(3)


def test_parts_of_a_chunk_are_frames_and_rows_are_candidates() -> None:
    whole = chunk(torch.randn(3, 4, 3), torch.zeros(3, 4, 3), torch.rand(3, 4))
    torch.testing.assert_close(whole.part([0, 3]).position, whole.position[:, [0, 3]])
    assert whole.part(slice(1, 3)).rotation.shape == (3, 2, 3, 3)
    torch.testing.assert_close(whole.rows(slice(1, 3)).closedness, whole.closedness[1:3])
