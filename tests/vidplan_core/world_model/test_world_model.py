# SPDX-License-Identifier: Apache-2.0
"""Rollouts: shapes, sharing, seeds, gradients, feedback; checkpoints: round trip and errors."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.fakes.tiny import CHANNELS, save_models, straight_chunk, tiny_config, tiny_world_model
from vidplan_core.errors import ConfigError, ModelError, ObservationError
from vidplan_core.world_model.autoencoders.config import AutoencoderConfig
from vidplan_core.world_model.autoencoders.convolutional import Autoencoder
from vidplan_core.world_model.backbones.interface import Condition
from vidplan_core.world_model.checkpoint import (
    load_world_model,
)
from vidplan_core.world_model.sampling.flow import denoised, scaled_input
from vidplan_core.world_model.world_model import Context, WorldModel, action_tokens


@pytest.fixture(scope='module')
def model() -> WorldModel:
    return tiny_world_model()


@pytest.fixture
def context(model: WorldModel) -> Context:
    images = torch.randint(0, 256, (1, 2, 96, 64, 3), dtype=torch.uint8)
    return model.context(images, straight_chunk(torch.zeros(1, 3), frames=2))


MOTIONS = torch.tensor([[0.1, 0.0, 0.0], [0.0, -0.1, 0.0], [0.0, 0.0, -0.1]])


def test_encoding_is_view_by_view(model: WorldModel) -> None:
    images = torch.randint(0, 256, (1, 1, 96, 64, 3), dtype=torch.uint8)
    changed = images.clone()
    changed[:, :, 32:64] = 0
    first, second = model.encode(images), model.encode(changed)
    assert first.shape == (1, 1, CHANNELS, 12, 8)
    same = [0, 1, 2, 3, 8, 9, 10, 11]
    torch.testing.assert_close(first[..., same, :], second[..., same, :])
    assert not torch.allclose(first[..., 4:8, :], second[..., 4:8, :])


def test_decoding_gives_pictures(model: WorldModel, context: Context) -> None:
    pictures = model.decode(context.latents)
    assert pictures.shape == (1, 2, 3, 3, 32, 64)
    assert 0 <= pictures.min() <= pictures.max() <= 1


@pytest.mark.parametrize('steps', [1, 2, 4])
def test_rollout_is_batched_seeded_and_shares_noise(
    model: WorldModel, context: Context, steps: int
) -> None:
    chunk = straight_chunk(MOTIONS)
    together = model.rollout(context, chunk, steps, seed=3)
    assert together.shape == (3, 5, CHANNELS, 12, 8)
    alone = model.rollout(context, chunk.select(1), steps, seed=3)
    torch.testing.assert_close(together[1:2], alone, atol=1e-4, rtol=1e-4)
    again = model.rollout(context, chunk, steps, seed=3)
    assert torch.equal(together, again)
    other = model.rollout(context, chunk, steps, seed=4)
    assert not torch.allclose(together, other)


def test_gradient_reaches_the_action_and_agrees_with_differences(
    model: WorldModel, context: Context
) -> None:
    precise = tiny_world_model().double()
    past = Context(context.latents.double(), context.poses.to(torch.float64))
    weight = torch.randn(1, 5, CHANNELS, 12, 8, dtype=torch.float64)

    def value(motion: torch.Tensor) -> torch.Tensor:
        chunk = straight_chunk(torch.zeros(1, 3)).to(torch.float64)
        along = torch.linspace(0, 1, 5, dtype=torch.float64)[None, :, None]
        moved = type(chunk)(chunk.position + along * motion, chunk.rotation, chunk.closedness)
        return (precise.rollout(past, moved) * weight).sum()

    motion = torch.tensor([[0.02, -0.01, 0.03]], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(value(motion), motion)
    assert gradient.abs().max() > 0
    for axis in range(3):
        step = torch.zeros(1, 3, dtype=torch.float64)
        step[0, axis] = 1e-5
        with torch.no_grad():
            difference = (value(motion + step) - value(motion - step)) / 2e-5
        assert float(gradient[0, axis]) == pytest.approx(float(difference), rel=1e-3, abs=1e-4)


def test_advance_feeds_imagination_back(model: WorldModel, context: Context) -> None:
    chunk = straight_chunk(MOTIONS[:1])
    latents = model.rollout(context, chunk)
    later = model.advance(context, latents, chunk, frame=2)
    torch.testing.assert_close(later.latents, latents[:, 1:3])
    torch.testing.assert_close(later.poses.position, chunk.position[:, 1:3])
    still = model.advance(context, latents, chunk, frame=0)
    torch.testing.assert_close(still.latents, context.latents)  # what was seen stays


def test_action_tokens_are_relative_to_the_present(context: Context) -> None:
    tokens = action_tokens(context.poses.expand(3), straight_chunk(MOTIONS))
    assert tokens.shape == (3, 6, 17)
    torch.testing.assert_close(tokens[:, 1, 10:], torch.zeros(3, 7))  # the present itself
    torch.testing.assert_close(tokens[:, -1, 10:13], 10 * MOTIONS)


@pytest.mark.parametrize(
    ('images', 'message'),
    [
        (torch.zeros(1, 2, 90, 64, 3, dtype=torch.uint8), 'expected stitched images'),
        (torch.zeros(1, 2, 96, 64, 3), 'must be uint8'),
        (torch.zeros(1, 1, 96, 64, 3, dtype=torch.uint8), 'needs 2 past frames'),
    ],
    ids=['size', 'type', 'too few'],
)
def test_wrong_images_are_named(model: WorldModel, images: torch.Tensor, message: str) -> None:
    frames = 2 if images.shape[1] == 2 else 1
    with pytest.raises(ObservationError, match=message):
        model.context(images, straight_chunk(torch.zeros(1, 3), frames=frames))


def test_a_chunk_of_the_wrong_length_is_named(model: WorldModel, context: Context) -> None:
    with pytest.raises(ConfigError, match='5 frames, not 4'):
        model.rollout(context, straight_chunk(MOTIONS, frames=4))


@pytest.fixture
def folder(model: WorldModel, tmp_path: Path) -> Path:
    save_models(tmp_path, model)
    return tmp_path


def test_checkpoint_round_trip(model: WorldModel, context: Context, folder: Path) -> None:
    loaded = load_world_model(folder)
    assert loaded.fast
    loaded.fast = False
    chunk = straight_chunk(MOTIONS)
    torch.testing.assert_close(
        loaded.rollout(context, chunk), model.rollout(context, chunk), atol=0.02, rtol=0.02
    )


def _without(tensors: dict[str, torch.Tensor]) -> None:
    del tensors['position']


def _reshaped(tensors: dict[str, torch.Tensor]) -> None:
    tensors['position'] = torch.zeros(1, 2, 3, 4)


def _added(tensors: dict[str, torch.Tensor]) -> None:
    tensors['surplus'] = torch.zeros(1)


def _infinite(tensors: dict[str, torch.Tensor]) -> None:
    tensors['position'][0, 0, 0, 0] = float('nan')


@pytest.mark.parametrize(
    ('damage', 'message'),
    [
        (_without, 'position is missing'),
        (_reshaped, r'position has shape \(1, 2, 3, 4\), expected'),
        (_added, 'surplus is unknown'),
        (_infinite, 'position is not finite'),
    ],
    ids=['missing', 'shape', 'unknown', 'nan'],
)
def test_wrong_weights_are_named(folder: Path, damage, message: str) -> None:
    path = folder / 'world_model' / 'weights.safetensors'
    tensors = {name.removeprefix('backbone.'): value for name, value in load_file(path).items()}
    damage(tensors)
    save_file({f'backbone.{name}': value for name, value in tensors.items()}, path)
    with pytest.raises(ModelError, match=message):
        load_world_model(folder)


@pytest.mark.parametrize('part', ['autoencoder', 'world_model'])
@pytest.mark.parametrize('name', ['config.json', 'weights.safetensors'])
def test_missing_and_truncated_files_are_named(folder: Path, part: str, name: str) -> None:
    path = folder / part / name
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError, match=name.split('.')[0]):
        load_world_model(folder)
    path.unlink()
    with pytest.raises(ModelError, match='missing'):
        load_world_model(folder)


def test_unknown_configuration_is_named(folder: Path) -> None:
    path = folder / 'world_model' / 'config.json'
    values = json.loads(path.read_text())
    values['colour'] = 'blue'
    path.write_text(json.dumps(values))
    with pytest.raises(ModelError, match='colour'):
        load_world_model(folder)


def test_dropped_actions_change_nothing_but_themselves() -> None:
    model = tiny_world_model()
    actions = torch.randn(2, 6, 17)
    config = model.config
    shape = (CHANNELS, config.latent_height, config.latent_width)
    condition = Condition(torch.randn(2, 2, *shape), actions)
    noisy, time = torch.randn(2, 5, *shape), torch.full((2,), 0.3)
    dropped = model.backbone(noisy, condition.without_actions(), time, time)
    other = replace(condition, actions=-actions).without_actions()
    torch.testing.assert_close(dropped, model.backbone(noisy, other, time, time))
    assert not torch.allclose(dropped, model.backbone(noisy, condition, time, time))


def test_restarting_the_target_keeps_one_gap_and_forgets_the_others() -> None:
    backbone = tiny_world_model().backbone
    torch.nn.init.normal_(backbone.target_embedding.linear_2.weight)
    shape = (CHANNELS, tiny_config().latent_height, tiny_config().latent_width)
    condition = Condition(torch.randn(1, 2, *shape), torch.randn(1, 6, 17))
    noisy, zero = torch.randn(1, 5, *shape), torch.zeros(1)
    before = backbone(noisy, condition, zero, zero + 1)
    backbone.restart_target(1.0)
    for target in (0.0, 0.4, 1.0):
        after = backbone(noisy, condition, zero, zero + target)
        torch.testing.assert_close(after, before, atol=1e-5, rtol=1e-5)


def gated_backbone() -> torch.nn.Module:
    torch.manual_seed(0)
    config = tiny_config()
    config = replace(config, backbone=replace(config.backbone, still_gate=True))
    autoencoder = Autoencoder(AutoencoderConfig(CHANNELS, (8, 16, 16), 1))
    return WorldModel(config, autoencoder).eval().requires_grad_(False).backbone


@pytest.mark.parametrize('time', [0.1, 0.5, 0.9, 0.98])
def test_a_closed_gate_means_data_of_zero(time: float) -> None:
    backbone, config = gated_backbone(), tiny_config()
    torch.nn.init.zeros_(backbone.unet.conv_out.weight)
    torch.nn.init.zeros_(backbone.unet.conv_out.bias)
    backbone.unet.conv_out.bias[-config.frames :] = 50.0
    shape = (CHANNELS, config.latent_height, config.latent_width)
    condition = Condition(torch.randn(2, 2, *shape), torch.randn(2, 6, 17))
    x, start = torch.randn(2, 5, *shape), torch.full((2,), time)
    raw = backbone(scaled_input(x, start), condition, start, start)
    torch.testing.assert_close(denoised(x, raw, start), torch.zeros_like(x), atol=1e-4, rtol=0)


@pytest.mark.parametrize('time', [0.0, 1.0])
def test_a_gate_is_finite_at_both_ends_and_without_effect_at_pure_noise(time: float) -> None:
    backbone, config = gated_backbone(), tiny_config()
    shape = (CHANNELS, config.latent_height, config.latent_width)
    condition = Condition(torch.randn(1, 2, *shape), torch.randn(1, 6, 17))
    x, start = torch.randn(1, 5, *shape), torch.full((1,), time)
    opened = backbone(x, condition, start, start)
    assert torch.isfinite(opened).all()
    backbone.unet.conv_out.bias[-config.frames :] = 50.0
    closed = backbone(x, condition, start, start)
    assert torch.allclose(opened, closed) == (time == 0.0)
