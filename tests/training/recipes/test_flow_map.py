# SPDX-License-Identifier: Apache-2.0
"""Distilling the real world model: nothing lost at the start, the target time learned."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.fakes.tiny import CHANNELS, tiny_ctrl_world, tiny_world_model
from tests.training.tiny_shards import write_shard
from vidplan_core.errors import ConfigError
from vidplan_core.world_model.backbones.interface import Condition
from vidplan_core.world_model.context import action_tokens
from vidplan_core.world_model.sampling.flow import noise_condition, velocity
from vidplan_core.world_model.sampling.sampler import SamplingConfig
from vidplan_core.world_model.world_model import WorldModel
from vidplan_training.data.dataset import shards
from vidplan_training.data.latents import ClipDataset, Clips, Statistics
from vidplan_training.engine.batch_shard import WHOLE, BatchShard
from vidplan_training.recipes.flow_map import recipe as command
from vidplan_training.recipes.flow_map.check import HeldOut, averaged
from vidplan_training.recipes.flow_map.loss import (
    FlowMap,
    distilled_rows,
    guided_velocity,
    prepare,
    velocity_field,
    wanted_velocity,
)
from vidplan_training.recipes.flow_map.self_distillation import psd_target
from vidplan_training.recipes.flow_map.settings import FlowMapConfig
from vidplan_training.recipes.world_model.recipe import split_clip

STATS = Statistics((0.1,) * CHANNELS, (1.5,) * CHANNELS, 0.5)
SHAPE = (5, CHANNELS, 12, 8)


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('data')
    for index in range(2):
        write_shard(folder / f'shard_{index:04d}', episodes=2, frames=10)
    return folder


@pytest.fixture(scope='module')
def clips(data: Path) -> Clips:
    return ClipDataset(shards(data), (1, 0), 5, STATS).clips(np.arange(6))


@pytest.fixture
def trainable() -> WorldModel:
    model = tiny_world_model()
    model.backbone.requires_grad_(True)
    return model


def condition_of(clips: Clips) -> Condition:
    parts = split_clip(clips, 2)
    return Condition(parts.history, action_tokens(parts.past, parts.chunk))


# The teacher is not lost


@pytest.mark.parametrize('time', [0.05, 0.5, 0.95])
def test_on_the_diagonal_a_jump_is_the_denoiser_warped(clips: Clips, time: float) -> None:
    model = tiny_world_model().double()
    torch.nn.init.normal_(model.backbone.target_embedding.linear_2.weight, std=0.1)
    condition = condition_of(clips)
    condition = Condition(condition.history.double(), condition.actions.double())
    x = torch.randn(len(clips.latents), *SHAPE, dtype=torch.float64)
    s = torch.full((len(x),), time, dtype=torch.float64)
    sigma = (1 - time) / time
    # Karras et al. 2022, eq. 7, at x/s, and the velocity of the straight line through it.
    scale = (sigma**2 + 1) ** -0.5
    raw = model.backbone(scale * x / time, condition, s, s)
    clean = scale**2 * x / time - sigma * scale * raw
    wanted = clean - (x / time - clean) / sigma
    torch.testing.assert_close(
        velocity_field(model, condition)(x, s, s), wanted, atol=1e-8, rtol=1e-8
    )


def test_before_training_the_target_time_changes_nothing(clips: Clips) -> None:
    model = command.start_from(tiny_world_model())
    model.fast = False
    field = velocity_field(model, condition_of(clips))
    x, start = torch.randn(6, *SHAPE), torch.linspace(0, 0.9, 6)
    with torch.no_grad():
        for target in (start, start + 0.05, torch.ones(6)):
            assert torch.equal(field(x, start, target), field(x, start, start))


@given(start=st.floats(0, 1), rest=st.floats(0, 1))
@settings(deadline=None, max_examples=100)
def test_velocity_is_finite_in_bfloat16_everywhere(start: float, rest: float) -> None:
    s = torch.tensor([start])
    t = s + (1 - s) * rest
    x = torch.linspace(-6, 6, 13).bfloat16()[None]
    for times in ((s, t), (s.bfloat16(), t.bfloat16())):
        result = velocity(lambda scaled, *_: scaled.sin(), x, *times)
        assert result.dtype == torch.bfloat16
        assert torch.isfinite(result).all()
        assert result.abs().max() < 20
        assert torch.isfinite(noise_condition(times[0])).all()


@given(start=st.floats(0, 1), rest=st.floats(0, 1))
@settings(deadline=None, max_examples=15)
def test_the_network_is_finite_in_bfloat16_everywhere(start: float, rest: float) -> None:
    model = tiny_world_model().to(torch.bfloat16)
    torch.nn.init.normal_(model.backbone.target_embedding.linear_2.weight)
    history = torch.ones(1, 2, CHANNELS, 12, 8, dtype=torch.bfloat16)
    condition = Condition(history, torch.ones(1, 6, 17, dtype=torch.bfloat16))
    s = torch.tensor([start])
    with torch.no_grad():
        x = torch.full((1, *SHAPE), 3.0, dtype=torch.bfloat16)
        result = velocity_field(model, condition)(x, s, s + (1 - s) * rest)
    assert torch.isfinite(result).all()


# The target time is learned


@pytest.mark.parametrize('variant', ['psd', 'psd-midpoint', 'lsd'])
@pytest.mark.parametrize('learned', [False, True], ids=['plain', 'learned weight'])
def test_the_target_embedding_learns(
    trainable: WorldModel, clips: Clips, variant: str, learned: bool
) -> None:
    flow_map = FlowMap(trainable, learned)
    config = FlowMapConfig(variant, share=0.5)
    parameters = [p for p in flow_map.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, 1e-2)
    embedding = trainable.backbone.target_embedding
    before = embedding.linear_1.weight.detach().clone()
    for _ in range(3):
        optimizer.zero_grad()
        flow_map.loss(clips, config).backward()
        optimizer.step()
    assert embedding.linear_2.weight.grad.abs().max() > 0
    assert embedding.linear_1.weight.grad.abs().max() > 0  # the last layer is not zero any more
    assert not torch.equal(embedding.linear_1.weight, before)
    x, start = torch.randn(6, *SHAPE), torch.zeros(6)
    with torch.no_grad():
        field = velocity_field(trainable, condition_of(clips))
        assert not torch.allclose(field(x, start, start), field(x, start, start + 1), atol=1e-3)


def test_the_spatio_temporal_backbone_learns_alike(clips: Clips) -> None:
    torch.manual_seed(0)
    config = replace(
        tiny_world_model().config, backbone=tiny_ctrl_world(True).world_model.backbone
    )
    config = replace(config, backbone=replace(config.backbone, text_dim=0))
    flow_map = FlowMap(WorldModel(config, tiny_world_model().autoencoder))
    embedding = flow_map.model.backbone.target_embedding
    for variant in ('psd', 'lsd'):
        flow_map.zero_grad()
        loss = flow_map.loss(clips, FlowMapConfig(variant, guidance=(1.0, 2.0)), flow_map.model)
        loss.backward()
        assert torch.isfinite(loss)
        assert embedding.linear_2.weight.grad.abs().max() > 0


def test_all_rows_pass_through_the_network_together(trainable: WorldModel, clips: Clips) -> None:
    calls: list[tuple[int, bool]] = []
    trainable.backbone.register_forward_hook(
        lambda _, inputs, __: calls.append((len(inputs[0]), torch.is_grad_enabled()))
    )
    FlowMap(trainable).loss(clips, FlowMapConfig())
    assert calls == [(2, False), (2, False), (6, True)]


def test_teacher_rows_see_clean_history_and_student_rows_noisy(
    trainable: WorldModel, clips: Clips
) -> None:
    seen: list[Tensor] = []
    trainable.backbone.register_forward_hook(lambda _, inputs, __: seen.append(inputs[1].history))
    FlowMap(trainable).loss(clips, FlowMapConfig())
    clean = split_clip(clips, 2).history
    distilled = distilled_rows(FlowMapConfig(), 6)
    assert distilled.sum() == 2
    assert torch.equal(seen[0], clean[distilled])
    assert torch.equal(seen[1], clean[distilled])
    assert not torch.equal(seen[2], clean)
    torch.testing.assert_close(seen[2], clean, atol=0.4, rtol=0)


def test_guidance_is_distilled_as_the_guided_velocity(clips: Clips) -> None:
    teacher = tiny_world_model()
    condition, x = condition_of(clips), torch.randn(6, *SHAPE)
    time = torch.linspace(0, 1, 6)
    learned = guided_velocity(teacher, condition, x, time, (1.0, 2.0))
    with torch.no_grad():
        given_, dropped = (
            velocity_field(teacher, c)(x, time, time)
            for c in (condition, condition.without_actions())
        )
    ramp = torch.linspace(1, 2, 5).reshape(1, -1, 1, 1, 1)
    wanted = dropped + ramp * (given_ - dropped)
    torch.testing.assert_close(learned, wanted, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(learned[:, 0], given_[:, 0], atol=1e-4, rtol=1e-4)
    assert not torch.allclose(learned[:, -1], given_[:, -1], atol=1e-2)
    alone = guided_velocity(teacher, condition, x, time, (1.0, 1.0))
    torch.testing.assert_close(alone, given_, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(('short', 'alike'), [(2.0, False), (0.0, True)])
def test_guided_jumps_are_made_of_short_guided_ones(
    clips: Clips, monkeypatch: pytest.MonkeyPatch, short: float, alike: bool
) -> None:
    monkeypatch.setattr('vidplan_training.recipes.flow_map.loss.SHORT', short)
    model = tiny_world_model()
    config = FlowMapConfig(share=0.5, guidance=(1.0, 2.0), guided='jumps')
    batch = prepare(model, clips, config, WHOLE)
    wanted = wanted_velocity(model, batch, config, model)
    plain = wanted_velocity(model, batch, replace(config, guidance=None, guided='all'), None)
    assert torch.equal(wanted[~batch.distilled], batch.straight[~batch.distilled])
    assert torch.allclose(wanted, plain) == alike
    if not alike:
        rows = batch.distilled.nonzero()[:, 0]
        guided = partial(guided_velocity, model, batch.clean.rows(rows), guidance=(1.0, 2.0))
        expected = psd_target(
            lambda x, start, _: guided(x, start), batch.x[rows], batch.jump.rows(rows)
        )
        torch.testing.assert_close(wanted[rows], expected, atol=1e-5, rtol=1e-5)


def test_a_student_that_is_its_teacher_has_nothing_to_learn_on_the_diagonal(
    trainable: WorldModel, clips: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        'vidplan_training.recipes.flow_map.loss.with_noise', lambda history, *_: history
    )
    teacher, flow_map = tiny_world_model(), FlowMap(trainable)
    itself = FlowMapConfig(share=0.0, guidance=(1.0, 1.0))
    assert flow_map.loss(clips, itself, teacher).item() < 1e-9
    guided = replace(itself, guidance=(1.0, 2.0))
    assert flow_map.loss(clips, guided, teacher).item() > 1e-4
    with pytest.raises(ConfigError, match='reference'):
        flow_map.loss(clips, guided)


@pytest.mark.parametrize('learned', [False, True], ids=['plain', 'learned weight'])
def test_parts_of_a_batch_add_up_to_the_whole(clips: Clips, data: Path, learned: bool) -> None:
    torch.manual_seed(1)
    flow_map, config = FlowMap(tiny_world_model(), learned), FlowMapConfig()
    dataset = ClipDataset(shards(data), (1, 0), 5, STATS)

    def loss(shard: BatchShard) -> float:
        torch.manual_seed(0)
        with torch.no_grad():
            return flow_map.loss(dataset.random(0, 6, 0, shard), config, shard=shard).item()

    parts = [loss(BatchShard(index, 2)) for index in range(2)]
    assert parts[0] != pytest.approx(parts[1], rel=1e-3)
    assert sum(parts) / 2 == pytest.approx(loss(BatchShard()), rel=1e-5)


@pytest.mark.parametrize(('share', 'count'), [(0.0, 0), (1 / 3, 8), (0.5, 12), (1.0, 24)])
def test_distilled_rows_are_spread_evenly(share: float, count: int) -> None:
    chosen = distilled_rows(FlowMapConfig(share=share), 24)
    assert int(chosen.sum()) == count
    halves = chosen.unflatten(0, (2, 12)).sum(1)
    assert abs(int(halves[0] - halves[1])) <= 1


def test_state_weighting_is_the_error_after_the_jump(trainable: WorldModel, clips: Clips) -> None:
    flow_map, config = FlowMap(trainable), FlowMapConfig(share=1.0, one_step=1.0)
    losses = []
    for weighting in ('velocity', 'state'):
        torch.manual_seed(0)
        losses.append(flow_map.loss(clips, replace(config, weighting=weighting)).item())
    assert losses[0] == pytest.approx(losses[1])  # jumps of length 1
    torch.manual_seed(0)
    short = flow_map.loss(clips, replace(config, weighting='state', one_step=0.0)).item()
    torch.manual_seed(0)
    assert short < 0.5 * flow_map.loss(clips, replace(config, one_step=0.0)).item()


@pytest.mark.parametrize(
    'values',
    [
        {'variant': 'esd'},
        {'share': 1.5},
        {'diagonal': 'cosine'},
        {'weighting': 'none'},
        {'guided': 'some'},
        {'guided': 'jumps'},
        {'guided': 'jumps', 'guidance': (1.0, 2.0), 'variant': 'lsd'},
    ],
    ids=str,
)
def test_wrong_objectives_are_named(values: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(values))):
        FlowMapConfig(**values)  # type: ignore[arg-type]


# Measured


def test_a_model_is_its_own_teacher(clips: Clips) -> None:
    model = tiny_world_model()
    measured = HeldOut(model, clips, SamplingConfig(4)).measure(model)
    assert measured['teacher_4'] == 0.0
    assert measured['error_4'] == measured['error_teacher']
    assert measured['teacher_1'] > 0


def test_averages_are_held_inside_the_block_only() -> None:
    module = torch.nn.Linear(1, 1)
    own = module.weight.detach().clone()
    with averaged(module, {'weight': torch.full((1, 1), 7.0), 'bias': torch.zeros(1)}):
        assert module.weight.item() == 7.0
    assert torch.equal(module.weight, own)
