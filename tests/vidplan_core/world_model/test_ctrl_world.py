# SPDX-License-Identifier: Apache-2.0
"""Ctrl-World's configuration, shrunken, as a whole: past, instruction, rollout, pictures."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from tests.fakes.tiny import straight_chunk, tiny_ctrl_world
from tests.vidplan_core.world_model.shared_data import shared
from vidplan_core.data.action import DROID_STATS, euler_features
from vidplan_core.data.history import EPISODE_START
from vidplan_core.errors import ModelError
from vidplan_core.world_model.augmentation import noisy_history
from vidplan_core.world_model.config import WorldModelConfig
from vidplan_core.world_model.context import Context, action_tokens
from vidplan_core.world_model.released.presets import ctrl_world
from vidplan_core.world_model.sampling.sampler import SamplingConfig
from vidplan_core.world_model.world_model import WorldModel

MOTIONS = torch.tensor([[0.1, 0.0, 0.0], [0.0, -0.1, 0.0]])
GUIDED = SamplingConfig(2, 'edm', guidance_first=1.0, guidance_last=2.0)


@pytest.fixture(scope='module')
def model() -> WorldModel:
    torch.manual_seed(0)
    return tiny_ctrl_world(True).build().eval().requires_grad_(False)


@pytest.fixture(scope='module')
def context(model: WorldModel) -> Context:
    draw = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (1, 7, 96, 64, 3), dtype=torch.uint8, generator=draw)
    past = straight_chunk(torch.tensor([[0.05, 0.0, 0.0]]), frames=7)
    return model.context(images, past, 'put the cup in the bowl')


def test_documented_constants() -> None:
    config = ctrl_world().world_model
    assert (config.history_frames - 1, config.frames) == (6, 5)
    assert (config.latent_height, config.latent_width) == (72, 40)
    assert config.latent_std == (1 / 0.18215,) * 4
    assert (config.sigma_min, config.sigma_max) == (0.002, 700.0)
    heads = [width // config.backbone.attention_head_dim for width in config.backbone.widths]
    assert heads == [5, 10, 20, 20]
    facts = (config.backbone.frame_rate, config.backbone.motion_bucket)
    assert (*facts, config.backbone.noise_augmentation) == (7, 127, 0.02)
    assert config.history_ages == (EPISODE_START, EPISODE_START, 44, 32, 20, 8, 0)


def test_percentiles_are_those_of_the_data_set() -> None:
    stats = json.loads(shared('data/droid/stat.json').read_text())
    assert DROID_STATS.p01 == tuple(stats['state_01'])
    assert DROID_STATS.p99 == tuple(stats['state_99'])


def test_tokens_are_absolute_poses_with_the_history_first(
    model: WorldModel, context: Context
) -> None:
    chunk = straight_chunk(MOTIONS)
    tokens = action_tokens(context.poses.expand(2), chunk, 'droid')
    assert tokens.shape == (2, 11, 7)
    torch.testing.assert_close(tokens[:, 6:], euler_features(chunk))
    torch.testing.assert_close(tokens[:1, :6], euler_features(context.poses)[:, :6])
    with pytest.raises(ModelError, match="unknown action features 'delta'"):
        action_tokens(context.poses.expand(2), chunk, 'delta')


@pytest.mark.parametrize('sampling', [SamplingConfig(1), SamplingConfig(2), GUIDED])
@torch.no_grad()
def test_rollout_is_batched_and_seeded(
    model: WorldModel, context: Context, sampling: SamplingConfig
) -> None:
    chunk = straight_chunk(MOTIONS)
    together = model.rollout(context, chunk, seed=3, sampling=sampling)
    assert together.shape == (2, 5, 4, 12, 8)
    alone = model.rollout(context, chunk.select(1), seed=3, sampling=sampling)
    torch.testing.assert_close(together[1:], alone, atol=1e-4, rtol=1e-4)
    assert torch.equal(together, model.rollout(context, chunk, seed=3, sampling=sampling))
    other = model.rollout(context, chunk, seed=4, sampling=sampling)
    assert not torch.allclose(together, other, atol=1e-2)
    assert not torch.allclose(together[0], together[1], atol=1e-5)


def test_gradients_go_from_pictures_to_poses(model: WorldModel, context: Context) -> None:
    motion = torch.tensor([[0.02, -0.01, 0.03]], requires_grad=True)
    latents = model.rollout(context, straight_chunk(motion), steps=2)
    pictures = model.decode(latents[:, 4:])
    value = latents.square().mean() + pictures.mean()
    (gradient,) = torch.autograd.grad(value, motion)
    assert gradient.isfinite().all()
    assert (gradient.abs() > 0).all()


@torch.no_grad()
def test_the_instruction_matters_and_is_embedded_once(model: WorldModel, context: Context) -> None:
    chunk = straight_chunk(MOTIONS)
    one = model.rollout(context, chunk)
    text = model.text_encoder(['open the drawer'])
    other = model.rollout(replace(context, text=text), chunk)
    assert not torch.allclose(one, other, atol=1e-4)
    calls = []
    hook = model.text_encoder.clip.register_forward_pre_hook(lambda m, args: calls.append(1))
    again = model.text_encoder(['open the drawer', 'open the drawer'])
    hook.remove()
    assert not calls
    assert torch.equal(again, text.expand(2, -1))


@torch.no_grad()
def test_padding_changes_no_embedding(model: WorldModel) -> None:
    encoder = model.text_encoder
    tokens = encoder.tokens(['put the cup in the bowl'])
    assert tokens.shape == (1, 77)
    assert tokens[0, 0] == 49406
    end = int(tokens.argmax())
    assert tokens[0, end] == 49407
    whole = encoder.embed(tokens)
    torch.testing.assert_close(encoder.embed(tokens[:, : end + 1]), whole, atol=1e-5, rtol=1e-5)
    repeated = tokens.clone()
    repeated[:, end:] = 49407  # as transformers pads
    torch.testing.assert_close(encoder.embed(repeated), whole, atol=1e-5, rtol=1e-5)
    assert encoder.embed(encoder.tokens([''])).isfinite().all()


@torch.no_grad()
def test_views_are_encoded_apart_and_without_noise(model: WorldModel) -> None:
    images = torch.randint(0, 256, (1, 1, 96, 64, 3), dtype=torch.uint8)
    changed = images.clone()
    changed[:, :, 32:64] = 0
    first, second = model.encode(images), model.encode(changed)
    assert torch.equal(first, model.encode(images))
    rows = [0, 1, 2, 3, 8, 9, 10, 11]
    torch.testing.assert_close(first[..., rows, :], second[..., rows, :])
    assert not torch.allclose(first[..., 4:8, :], second[..., 4:8, :])
    pixels = images[0, 0, :32].permute(2, 0, 1)[None] / 127.5 - 1
    mode = model.autoencoder.vae.encode(pixels).latent_dist.mode() * 0.18215
    torch.testing.assert_close(first[:, 0, :, :4], mode, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_views_are_decoded_apart_and_frames_together(model: WorldModel) -> None:
    """The decoder mixes frames of a view; frames of different views never meet."""
    torch.manual_seed(0)
    torch.nn.init.normal_(model.autoencoder.vae.decoder.time_conv_out.weight, std=0.3)
    latents = torch.randn(2, 5, 4, 12, 8)
    pictures = model.decode(latents)
    assert pictures.shape == (2, 5, 3, 3, 32, 64)
    changed = latents.clone()
    changed[1, 2, :, 4:8] += 3
    apart = (model.decode(changed) - pictures).abs().amax(dim=(3, 4, 5))
    assert apart[0].max() == 0  # another future
    assert apart[1, :, [0, 2]].max() == 0  # other views
    assert apart[1, 1:4, 1].min() > 0  # its neighbours in time
    view = latents[1, :, :, 4:8] / 0.18215
    frames = model.autoencoder.vae.decode(view, num_frames=5).sample
    expected = (frames / 2 + 0.5).clamp(0, 1)
    torch.testing.assert_close(pictures[1, :, 1], expected, atol=1e-5, rtol=1e-5)


def numbered(model: WorldModel, entries: int, ages: tuple[int, ...] = ()) -> Context:
    """A memory whose latents and poses say which entry they are."""
    number = torch.arange(entries, dtype=torch.float32)
    latents = number[None, :, None, None, None].expand(1, -1, 4, 12, 8)
    poses = straight_chunk(torch.zeros(1, 3), frames=entries)
    return Context(latents, replace(poses, closedness=number[None]), None, ages)


def test_history_is_what_upstream_takes_from_its_buffer(model: WorldModel) -> None:
    """Against a list as the released rollouts keep it: 24 copies of the start, then one entry
    per call of four new frames."""
    config = model.config
    context = numbered(model, 1, ages=(0,))
    buffer = [0.0] * 24
    for call in range(14):
        seen = context.seen(config)
        expected = [buffer[index] for index in config.history_idx] + [buffer[-1]]
        assert seen.latents[0, :, 0, 0, 0].tolist() == expected
        assert seen.poses.closedness[0].tolist() == expected
        new = float(call + 1)
        latents = torch.full((1, 5, 4, 12, 8), -1.0)
        latents[:, 4] = new
        chunk = straight_chunk(torch.zeros(1, 3))
        chunk = replace(chunk, closedness=latents[:, :, 0, 0, 0])
        context = context.later(latents, chunk, 4, config)
        buffer.append(new)


def test_a_history_of_neighbours_moves_on_frame_by_frame() -> None:
    config = WorldModelConfig(history_frames=3)
    context = numbered(None, 3)
    imagined = torch.arange(5.0)[None, :, None, None, None].expand(2, -1, 4, 12, 8) + 10
    later = context.later(imagined, straight_chunk(torch.zeros(2, 3)), 1, config)
    assert later.latents[1, :, 0, 0, 0].tolist() == [1.0, 2.0, 11.0]
    assert later.ages == ()


@pytest.mark.parametrize('idx', [(0, -2), (0, 0, 0, -3, -2, -1), (0, 0, 0, 0, 0, 3)])
def test_impossible_histories_are_named(idx: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match='history_idx'):
        replace(ctrl_world().world_model, history_idx=idx)


def test_training_noise_keeps_the_variance_and_spares_nothing_when_off() -> None:
    config = replace(ctrl_world().world_model, history_noise=0.5, present_noise=0.4)
    history = torch.randn(64, 7, 4, 8, 8)
    torch.manual_seed(0)
    levels = torch.cat([torch.randn(64, 6), torch.rand(64, 1)], dim=1)
    noise = torch.randn_like(history)
    noisy = noisy_history(history, config, levels, noise)
    assert noisy.var() == pytest.approx(1.0, abs=0.03)

    # What is left of a clip's frame at level s is 1/sqrt(s^2 + 1).
    left = (noisy * history).flatten(2).mean(2) / history.square().flatten(2).mean(2)
    assert left[:, 6].min() > 0.85  # the present: at most 0.4
    assert left[:, :6].min() < 0.8
    quiet = replace(config, history_noise=0.0, present_noise=0.0)
    assert torch.equal(noisy_history(history, quiet, levels, noise), history)
