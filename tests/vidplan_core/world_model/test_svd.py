# SPDX-License-Identifier: Apache-2.0
"""The svd backbone against diffusers' own forward, and what its inputs mean."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.fakes.tiny import tiny_ctrl_world
from vidplan_core.errors import ModelError
from vidplan_core.world_model.backbones.interface import Condition
from vidplan_core.world_model.backbones.registry import build_backbone
from vidplan_core.world_model.backbones.svd import SvdBackbone, build_unet

CHANNELS, FEATURES, PAST, FRAMES = 4, 7, 6, 5
SIZES = tiny_ctrl_world(True).world_model
CLIP = SIZES.clip_format(CHANNELS, FEATURES)


@pytest.fixture(scope='module')
def backbone() -> SvdBackbone:
    torch.manual_seed(0)
    model = build_backbone(SIZES.backbone, CLIP).eval().requires_grad_(False)
    # The embedding of the target time starts at zero; here it should matter.
    torch.nn.init.normal_(model.target_embedding.linear_2.weight, std=0.1)
    return model


def inputs(batch: int = 2, rows: int = 12, seed: int = 1) -> tuple[Tensor, Condition]:
    draw = torch.Generator().manual_seed(seed)
    shape = (CHANNELS, rows, 8)
    history = torch.randn(batch, PAST + 1, *shape, generator=draw)
    actions = torch.rand(batch, PAST + FRAMES, FEATURES, generator=draw) * 2 - 1
    text = torch.randn(batch, SIZES.backbone.text_dim, generator=draw)
    return torch.randn(batch, FRAMES, *shape, generator=draw), Condition(history, actions, text)


def times(batch: int = 2) -> tuple[Tensor, Tensor]:
    return torch.linspace(0.1, 0.6, batch), torch.linspace(0.5, 1.0, batch)


def reference(backbone: SvdBackbone, noisy: Tensor, condition: Condition) -> Tensor:
    """Diffusers' class and forward; hooks hand every block one token per frame.

    Everything around the network is written out here once more, from the published facts.
    """
    unet = build_unet(SIZES.backbone, CHANNELS).eval()
    assert type(unet).__module__.startswith('diffusers.')
    unet.load_state_dict(backbone.unet.state_dict(), strict=True)
    start, target = times(len(noisy))
    tokens = backbone.action_encoder.action_encode(condition.actions)
    tokens = tokens + torch.cat([condition.text, condition.text], dim=-1)[:, None]

    def own_token(module, args, kwargs):
        if 'encoder_hidden_states' in kwargs:
            kwargs['encoder_hidden_states'] = tokens.reshape(-1, 1, tokens.shape[-1])
        return args, kwargs

    for block in (*unet.down_blocks, unet.mid_block, *unet.up_blocks):
        block.register_forward_pre_hook(own_token, with_kwargs=True)
    gap = backbone.target_embedding(backbone.target_features(1000 * (target - start)))
    unet.add_embedding.register_forward_hook(lambda module, args, output: output + gap)
    present = condition.history[:, -1:] / 0.18215
    frames = torch.cat([condition.history[:, :-1], noisy], dim=1)
    sample = torch.cat([frames, present.repeat(1, PAST + FRAMES, 1, 1, 1)], dim=2)
    sigma = (1 - start) / start
    facts = torch.tensor([[7.0, 127.0, 0.02]]).expand(len(noisy), -1)
    return unet(sample, sigma.log() / 4, tokens[:, :1], facts).sample[:, PAST:]


@pytest.mark.parametrize('rows', [12, 15], ids=['even', 'odd'])
@torch.no_grad()
def test_forward_equals_diffusers_with_a_token_per_frame(backbone: SvdBackbone, rows: int) -> None:
    noisy, condition = inputs(rows=rows)
    raw = backbone(noisy, condition, *times())
    torch.testing.assert_close(raw, reference(backbone, noisy, condition), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_frame_sees_its_own_token_and_all_see_the_first(backbone: SvdBackbone) -> None:
    """Spatial attention looks at the frame's token, temporal attention at frame 0's."""
    noisy, condition = inputs(batch=1)
    before = backbone(noisy, condition, *times(1))

    def change(frame: int) -> Tensor:
        actions = condition.actions.clone()
        actions[:, frame] = -actions[:, frame]
        after = backbone(noisy, replace(condition, actions=actions), *times(1))
        return (after - before).abs().mean(dim=(0, 2, 3, 4))

    one, first = change(PAST + 3), change(0)
    others = [0, 1, 2, 4]
    assert one.argmax() == 3
    assert one[3] > 5 * one[others].max()
    assert first.min() > one[others].max()


@torch.no_grad()
def test_what_the_network_sees(backbone: SvdBackbone) -> None:
    """History as it is, noisy frames as given, the present unscaled in every frame."""
    noisy, condition = inputs()
    seen = []
    hook = backbone.unet.conv_in.register_forward_pre_hook(lambda m, args: seen.append(args[0]))
    backbone(noisy, condition, *times())
    hook.remove()
    sample = seen[0].unflatten(0, (2, PAST + FRAMES))
    torch.testing.assert_close(sample[:, :PAST, :CHANNELS], condition.history[:, :-1])
    torch.testing.assert_close(sample[:, PAST:, :CHANNELS], noisy)
    present = (condition.history[:, -1:] / 0.18215).expand(-1, PAST + FRAMES, -1, -1, -1)
    torch.testing.assert_close(sample[:, :, CHANNELS:], present)


@torch.no_grad()
def test_dropping_zeroes_action_and_text(backbone: SvdBackbone) -> None:
    noisy, condition = inputs()
    assert torch.equal(
        backbone.tokens(condition.without_actions()),
        torch.zeros(2, PAST + FRAMES, SIZES.backbone.token_dim),
    )
    half = backbone(noisy, replace(condition, keep=torch.tensor([1.0, 0.0])), *times())
    torch.testing.assert_close(half[:1], backbone(noisy, condition, *times())[:1])
    dropped = backbone(noisy, condition.without_actions(), *times())
    torch.testing.assert_close(half[1:], dropped[1:])
    assert not torch.allclose(half[:1], dropped[:1], atol=1e-4)


@torch.no_grad()
def test_text_is_tiled_and_added_to_every_frame(backbone: SvdBackbone) -> None:
    condition = inputs()[1]
    added = backbone.tokens(condition) - backbone.tokens(replace(condition, text=None))
    expected = torch.cat([condition.text, condition.text], -1)[:, None].expand_as(added)
    torch.testing.assert_close(added, expected, atol=1e-5, rtol=1e-5)


def test_attention_to_one_token_is_the_same_for_frozen_and_trained_weights(
    backbone: SvdBackbone,
) -> None:
    noisy, condition = inputs()
    frozen = backbone(noisy, condition, *times())
    backbone.requires_grad_(True)
    trained = backbone(noisy, condition, *times())
    trained.square().mean().backward()
    # Every weight takes part, or processes that share gradients would wait for ever.
    assert not [name for name, p in backbone.named_parameters() if p.grad is None]
    backbone.zero_grad()
    backbone.requires_grad_(False)
    torch.testing.assert_close(trained, frozen, atol=1e-5, rtol=1e-5)


def test_the_target_time_starts_as_a_no_op_and_learns() -> None:
    torch.manual_seed(0)
    model = build_backbone(SIZES.backbone, CLIP)
    noisy, condition = inputs()
    start, target = times()
    with torch.no_grad():
        torch.testing.assert_close(
            model(noisy, condition, start, start), model(noisy, condition, start, target)
        )
    embedding = model.target_embedding
    optimizer = torch.optim.SGD(embedding.parameters(), lr=1.0)
    for _ in range(2):
        optimizer.zero_grad()
        model(noisy, condition, start, target).square().mean().backward()
        optimizer.step()
    # The first step moves the last layer alone, the second one all of them.
    assert all(p.grad.abs().max() > 0 for p in embedding.parameters())
    with torch.no_grad():
        near, far = (model(noisy, condition, start, start + gap) for gap in (0.0, 0.3))
    assert not torch.allclose(near, far, atol=1e-6)


@torch.no_grad()
def test_restarting_the_target_keeps_one_gap_and_forgets_the_others() -> None:
    torch.manual_seed(0)
    model = build_backbone(SIZES.backbone, CLIP).eval()
    torch.nn.init.normal_(model.target_embedding.linear_2.weight, std=0.1)
    noisy, condition = inputs(1)
    start = torch.full((1,), 0.1)
    before = model(noisy, condition, start, start + 0.5)
    model.restart_target(0.5)
    for gap in (0.0, 0.2, 0.5):
        after = model(noisy, condition, start, start + gap)
        torch.testing.assert_close(after, before, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_bfloat16_weights_need_no_autocast(backbone: SvdBackbone) -> None:
    noisy, condition = inputs()
    exact = backbone(noisy, condition, *times())
    torch.manual_seed(0)
    half = build_backbone(SIZES.backbone, CLIP).eval()
    half.load_state_dict(backbone.state_dict())
    half.unet.to(torch.bfloat16)
    half.target_embedding.to(torch.bfloat16)
    for start in (torch.zeros(2), torch.ones(2)):
        assert half(noisy, condition, start, torch.ones(2)).isfinite().all()
    rounded = half(noisy, condition, *times())
    assert rounded.dtype == noisy.dtype
    assert (rounded - exact).norm() < 0.03 * exact.norm()


def test_recomputed_activations_give_the_same_gradient(backbone: SvdBackbone) -> None:
    noisy, condition = inputs(1)
    gradients = []
    for recompute in (False, True):
        if recompute:
            backbone.unet.enable_gradient_checkpointing()
        backbone.train(recompute)
        actions = condition.actions.clone().requires_grad_(True)
        raw = backbone(noisy, replace(condition, actions=actions), *times(1))
        gradients.append(torch.autograd.grad(raw.square().sum(), actions)[0])
    backbone.unet.disable_gradient_checkpointing()
    backbone.eval()
    assert gradients[0].abs().amax(-1).min() > 0  # of every frame's action
    torch.testing.assert_close(gradients[0], gradients[1], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'widths': (48, 64)}, 'multiples of 32'),
        ({'attention_head_dim': 24}, 'attention_head_dim 24'),
        ({'text_dim': 20}, 'text_dim 20 must divide token_dim 32'),
    ],
)
def test_impossible_sizes_are_named(changes: dict, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        replace(SIZES.backbone, **changes)
