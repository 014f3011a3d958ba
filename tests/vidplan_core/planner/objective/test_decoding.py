# SPDX-License-Identifier: Apache-2.0
"""Single frames are decoded as in their clip: with their neighbours, and only with those."""

from __future__ import annotations

import pytest
import torch

from tests.fakes.tiny import tiny_ctrl_world, tiny_world_model
from vidplan_core.errors import ConfigError
from vidplan_core.planner.objective.decoding import clips_around, decode_frames, view_numbers
from vidplan_core.world_model.world_model import WorldModel


@pytest.fixture(scope='module')
def model() -> WorldModel:
    torch.manual_seed(0)
    built = tiny_ctrl_world().build().eval().requires_grad_(False)
    torch.nn.init.normal_(built.autoencoder.vae.decoder.time_conv_out.weight, std=0.3)
    return built


@pytest.mark.parametrize(
    ('numbers', 'neighbours', 'clips'),
    [
        ((4,), 1, [(3, 5)]),
        ((1, 4), 0, [(1, 2), (4, 5)]),
        ((4, 1), 1, [(0, 5)]),
        ((0, 4), 1, [(0, 2), (3, 5)]),
        ((3, 4), 0, [(3, 5)]),
        ((2,), 9, [(0, 5)]),
    ],
)
def test_clips_hold_wanted_frames_and_neighbours(
    numbers: tuple[int, ...], neighbours: int, clips: list[tuple[int, int]]
) -> None:
    assert clips_around(numbers, neighbours, 5) == [range(*clip) for clip in clips]


@torch.no_grad()
def test_with_all_neighbours_frames_are_those_of_the_whole_future(model: WorldModel) -> None:
    latents = torch.randn(2, 5, 4, 12, 8)
    whole = model.decode(latents)
    found = decode_frames(model, latents, (4, 1), neighbours=4)
    torch.testing.assert_close(found, whole[:, [4, 1]], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_neighbour_brings_a_frame_nearer_to_its_clip(model: WorldModel) -> None:
    latents = torch.randn(2, 5, 4, 12, 8)
    whole = model.decode(latents)[:, [4]]
    errors = [
        float((decode_frames(model, latents, (4,), reach) - whole).square().mean())
        for reach in (0, 1, 2)
    ]
    assert errors[0] > errors[1] > errors[2]


@torch.no_grad()
def test_frames_that_are_apart_do_not_meet(model: WorldModel) -> None:
    latents = torch.randn(1, 5, 4, 12, 8)
    changed = latents.clone()
    changed[:, 0] += 3
    found, other = (decode_frames(model, given, (0, 4), 1) for given in (latents, changed))
    torch.testing.assert_close(found[:, 1], other[:, 1])
    assert not torch.allclose(found[:, 0], other[:, 0], atol=1e-3)


@torch.no_grad()
def test_a_decoder_of_single_frames_decodes_no_others() -> None:
    model = tiny_world_model()
    latents = torch.randn(2, 5, 4, 12, 8)
    calls: list[int] = []
    hook = model.autoencoder.decoder.register_forward_pre_hook(
        lambda module, args: calls.append(len(args[0]))
    )
    found = decode_frames(model, latents, (4,), 2)
    hook.remove()
    assert calls == [2 * 3]
    torch.testing.assert_close(found, model.decode(latents[:, [4]]))


@torch.no_grad()
@pytest.mark.parametrize('single', [True, False])
def test_views_that_are_not_looked_at_are_not_decoded(model: WorldModel, single: bool) -> None:
    model = tiny_world_model() if single else model
    latents = torch.randn(1, 5, 4, 12, 8)
    all_views = decode_frames(model, latents, (4,), 1)
    some = decode_frames(model, latents, (4,), 1, (0, 2))
    torch.testing.assert_close(some, all_views[:, :, [0, 2]])
    changed = latents.clone()
    changed[:, :, :, 4:8] += 1.0  # the rows of the second view
    torch.testing.assert_close(
        decode_frames(model, changed, (4,), 1, (0, 2)), all_views[:, :, [0, 2]]
    )


def test_views_are_found_by_name() -> None:
    assert view_numbers(('c', 'a'), ('a', 'b', 'c')) == (0, 2)
    assert view_numbers(('all',), ('a', 'b')) == ()
    with pytest.raises(ConfigError, match="no camera 'd'; known: a, b, all"):
        view_numbers(('d',), ('a', 'b'))
