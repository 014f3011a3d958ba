# SPDX-License-Identifier: Apache-2.0
"""The policy: draws the same for a seed, learns what it is shown, refuses what does not fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from vidplan_core.data.action import PoseChunk
from vidplan_core.errors import ModelError
from vidplan_core.geometry.fk import tcp_position
from vidplan_core.heads.places import SCALE_M
from vidplan_core.heads.policy.files import load_policy, save_policy
from vidplan_core.heads.policy.inputs import (
    BESIDE,
    BODY,
    PolicyInput,
    beside_features,
    body_features,
)
from vidplan_core.heads.policy.network import NUMBERS, ChunkPolicy, PolicyConfig, flow_loss

CONFIG = PolicyConfig(4, 12, 8, 3, text=6, width=8, embedding=16, pools=2)


def moments(count: int, seed: int = 0) -> PolicyInput:
    rng = torch.Generator().manual_seed(seed)
    sizes = (4, 12, 8), (BODY,), (6,), (2, 12, 8), (BESIDE,)
    return PolicyInput(*(torch.randn(count, *size, generator=rng) for size in sizes))


def policy(config: PolicyConfig = CONFIG) -> ChunkPolicy:
    torch.manual_seed(0)
    return ChunkPolicy(config)


def poses(count: int = 1) -> PoseChunk:
    down = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    position = torch.tensor([0.5, 0.1, 0.3]).expand(count, 2, 3)
    closedness = torch.tensor([0.2, 0.4]).expand(count, 2)
    return PoseChunk(position, down.expand(count, 2, 3, 3), closedness)


def test_chunks_are_the_same_for_a_seed_and_differ_between_samples() -> None:
    found, inputs = policy(), moments(2)
    first, again = found.sample(inputs, 5, seed=3), found.sample(inputs, 5, seed=3)
    assert first.shape == (2, 5, NUMBERS)
    torch.testing.assert_close(first, again)
    assert not torch.allclose(first, found.sample(inputs, 5, seed=4))
    assert float(first.std(1).min()) > 0.0


def test_a_moment_draws_the_same_alone_and_in_a_batch() -> None:
    found, inputs = policy(), moments(3)
    alone = found.sample(inputs.rows(slice(1, 2)), 4, seed=0)
    torch.testing.assert_close(found.sample(inputs, 4, seed=0)[1:2], alone)


def test_numbers_survive_normalising() -> None:
    numbers = torch.randn(7, NUMBERS)
    found = policy()
    torch.testing.assert_close(found.denormalised(found.normalised(numbers)), numbers)


def test_it_learns_what_it_is_shown() -> None:
    found, inputs = policy(), moments(2)
    wanted = torch.tensor([[0.05, -0.02, 0.0, 0.3, 1.0], [-0.03, 0.04, 0.06, -0.2, 0.0]])
    optimizer = torch.optim.Adam(found.parameters(), 3e-3)
    for _ in range(300):
        optimizer.zero_grad()
        flow_loss(found, inputs, wanted, draws=32).backward()
        optimizer.step()
    drawn = found.sample(inputs, 16, seed=0).median(1).values
    assert float((drawn - wanted)[:, :3].abs().max()) < 0.02
    assert ((drawn[:, 4] > 0.5) == (wanted[:, 4] > 0.5)).all()


def test_words_only_reads_no_places() -> None:
    found = policy(replace(CONFIG, grounded=False))
    grounded, blind = moments(1), replace(moments(1), maps=None, beside=None)
    torch.testing.assert_close(found.sample(grounded, 3, 0), found.sample(blind, 3, 0))


def test_a_grounded_policy_says_what_it_was_not_given() -> None:
    with pytest.raises(ModelError, match='where things are'):
        policy().sample(replace(moments(1), maps=None), 3, 0)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [({'scale': (1.0,)}, 'scale'), ({'patch': 3}, 'patches'), ({'width': 9}, 'width')],
)
def test_impossible_sizes_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        replace(CONFIG, **changes)  # type: ignore[arg-type]


def test_it_survives_a_folder(tmp_path: Path) -> None:
    found, inputs = policy(), moments(1)
    save_policy(tmp_path, found)
    loaded = load_policy(tmp_path)
    # Weights are stored in half precision.
    torch.testing.assert_close(
        loaded.sample(inputs, 3, 0), found.sample(inputs, 3, 0), atol=5e-3, rtol=5e-2
    )


def test_the_body_says_what_is_measured_and_what_is_commanded() -> None:
    features = body_features(poses(), torch.tensor([1.0]))
    torch.testing.assert_close(features[0, 5:], torch.tensor([-0.2, -0.6, 1.0]))


def test_places_count_as_far_as_they_are_certain() -> None:
    hand = poses()
    tool = tcp_position(hand.position[:, -1], hand.rotation[:, -1])
    places = torch.zeros(1, 2, 4)
    places[:, 0, :3], places[:, 0, 3] = tool + torch.tensor([SCALE_M, 0.0, 0.0]), 1.0
    features = beside_features(places, torch.zeros(1, 2, 4), hand)[0]
    torch.testing.assert_close(features[:3], torch.tensor([1.0, 0.0, 0.0]).asinh(), atol=1e-5,
                               rtol=1e-5)  # fmt: skip
    assert (features[3:6] == 0.0).all()
    assert features[6:8].tolist() == [1.0, 0.0]
