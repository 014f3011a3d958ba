# SPDX-License-Identifier: Apache-2.0
"""The training loop resumes, data are split and checked, and the loss means what it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.fakes.tiny import CHANNELS, tiny_world_model
from tests.training.tiny_shards import write_shard
from vidplan_core.errors import ConfigError, ModelError
from vidplan_core.world_model.backbones.interface import Condition
from vidplan_core.world_model.checkpoint import save_world_model
from vidplan_core.world_model.world_model import WorldModel
from vidplan_training.collect.behaviours import (
    BOX_HIGH,
    BOX_LOW,
    Pick,
    Push,
    Visit,
    Wander,
    keep_inside,
)
from vidplan_training.collect.collect import CollectSettings
from vidplan_training.data.dataset import shards, split
from vidplan_training.data.latents import LATENTS, ClipDataset, Statistics, statistics
from vidplan_training.engine.progress_log import ProgressLog
from vidplan_training.engine.trainer import Trainer, TrainerConfig
from vidplan_training.recipes.world_model.recipe import flow_times, go_on_from, loss_of, split_clip

STATS = Statistics((0.0,) * CHANNELS, (1.0,) * CHANNELS, 1.0)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for index in range(12):
        write_shard(tmp_path / f'shard_{index:04d}')
    (tmp_path / 'shard_0012').mkdir()  # not complete: no meta.json
    return tmp_path


def test_every_tenth_shard_is_held_out_and_incomplete_ones_do_not_count(data: Path) -> None:
    training, held_out = split(data, False), split(data, True)
    assert len(shards(data)) == 12
    assert [s.folder.name for s in held_out] == ['shard_0009']
    assert not {s.folder for s in training} & {s.folder for s in held_out}


def test_no_data_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='vidplan-train collect'):
        shards(tmp_path)


def test_clips_start_at_rest_and_follow_the_episode(data: Path) -> None:
    dataset = ClipDataset(split(data, True), (1, 0), 5, STATS)
    assert len(dataset) == 3 * 4  # presents 0 .. 3 of 8 frames with 4 to come
    clips = dataset.clips(np.array([0, 5]))
    assert clips.latents.shape == (2, 6, CHANNELS, 12, 8)
    torch.testing.assert_close(clips.latents[0, 0], clips.latents[0, 1])
    stored = np.load(split(data, True)[0].folder / f'{LATENTS}.npy')
    np.testing.assert_allclose(clips.latents[1].numpy(), stored[1, 0:6], atol=1e-3)
    parts = split_clip(clips, 2)
    torch.testing.assert_close(parts.past.position[:, -1], parts.chunk.position[:, 0])


def test_episodes_may_differ_in_length(tmp_path: Path) -> None:
    write_shard(tmp_path / 'shard_0000')
    write_shard(tmp_path / 'shard_0001', frames=11)
    write_shard(tmp_path / 'shard_0002', frames=3)  # too short for a clip
    whole = ClipDataset(shards(tmp_path), (1, 0), 5, STATS)
    parts = [ClipDataset([shard], (1, 0), 5, STATS) for shard in shards(tmp_path)[:2]]
    assert [len(part) for part in parts] == [3 * 4, 3 * 7]
    assert len(whole) == 3 * 4 + 3 * 7
    indices = np.array([0, 11, 12, 19, 32])
    clips, (first, second) = whole.clips(indices), parts
    torch.testing.assert_close(clips.latents[:2], first.clips(indices[:2]).latents)
    torch.testing.assert_close(clips.latents[2:], second.clips(indices[2:] - 12).latents)
    torch.testing.assert_close(
        clips.poses.position[2:], second.clips(indices[2:] - 12).poses.position
    )


def test_broken_episodes_are_counted_and_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_shard(tmp_path / 'shard_0000', jump=True)
    dataset = ClipDataset(shards(tmp_path), (1, 0), 5, STATS)
    assert len(dataset) == 2 * 4
    assert 'skipped 1 of 3' in capsys.readouterr().out


def test_statistics_normalise(data: Path) -> None:
    measured = statistics(split(data, False)[0], 5)
    assert measured.mean == pytest.approx((0.0,) * CHANNELS, abs=0.05)
    assert measured.std == pytest.approx((1.0,) * CHANNELS, abs=0.05)
    assert measured.residual_std == pytest.approx(2**0.5, abs=0.05)  # of independent frames


# The loop


def regression_loss(module: nn.Linear):
    def loss(iteration: int) -> torch.Tensor:
        x = torch.from_numpy(np.random.default_rng(iteration).normal(size=(16, 3))).float()
        return (module(x) - x.sum(1, keepdim=True)).square().mean()

    return loss


def train(folder: Path, stops: list[int]) -> tuple[list[float], torch.Tensor]:
    """Train 20 iterations in as many sittings as there are stops; losses and averaged weight."""
    losses = []
    for stop in stops:
        torch.manual_seed(5)
        module = nn.Linear(3, 1)
        config = TrainerConfig(iterations=20, learning_rate=0.05, warmup=2)
        trainer = Trainer(module, config, folder / 'run.pt')
        while trainer.iteration < stop:
            losses.append(trainer.step(regression_loss(module)))
        trainer.save()
    return losses, trainer.use_average().weight.detach().clone()


def test_a_resumed_run_follows_the_same_curve(tmp_path: Path) -> None:
    whole, weight = train(tmp_path / 'whole', [20])
    parts, resumed = train(tmp_path / 'parts', [7, 13, 20])
    assert parts == pytest.approx(whole, abs=1e-6)
    torch.testing.assert_close(resumed, weight)
    assert whole[-1] < 0.4 * whole[0]


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path) -> None:
    trainer = Trainer(nn.Linear(1, 1), TrainerConfig(3), tmp_path / 'run.pt')
    with pytest.raises(FloatingPointError, match='iteration 0'):
        trainer.step(lambda _: torch.tensor(float('nan'), requires_grad=True))


def test_progress_tells_rate_and_remaining_time(capsys: pytest.CaptureFixture[str]) -> None:
    times = iter([0.0, 10.0, 20.0])
    progress = ProgressLog('work', 100, clock=lambda: next(times))
    progress.update(50)
    progress.update(100, 'done')
    assert capsys.readouterr().err.splitlines() == [
        'work  50/100  5/s  0.2 min left  ',
        'work  100/100  5/s  0.0 min left  done',
    ]


# The objective


def test_flow_times_mix_pure_noise_with_all_levels() -> None:
    torch.manual_seed(0)
    assert (flow_times(1000, 1.0) == 0).all()
    times = flow_times(4000, 0.5)
    assert float((times == 0).float().mean()) == pytest.approx(0.5, abs=0.05)
    sigma = (1 - times[times > 0]) / times[times > 0]
    assert float(sigma.log().mean()) == pytest.approx(0.7, abs=0.15)


def test_world_model_learns_clips_by_heart(data: Path) -> None:
    model = tiny_world_model()
    model.backbone.requires_grad_(True)
    clips = ClipDataset(split(data, True), (1, 0), 5, STATS).clips(np.arange(4))
    optimizer = torch.optim.AdamW(model.backbone.parameters(), 3e-3)
    losses = []
    for _ in range(60):
        loss = loss_of(model, clips, 1.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]


@pytest.mark.parametrize('gate', [False, True])
def test_going_on_from_a_model_without_a_gate_changes_nothing_at_pure_noise(
    tmp_path: Path, gate: bool
) -> None:
    earlier = tiny_world_model()
    save_world_model(tmp_path, earlier)
    config = earlier.config
    config = replace(config, backbone=replace(config.backbone, still_gate=gate))
    model = WorldModel(config, earlier.autoencoder)
    go_on_from(model, tmp_path)
    shape = (CHANNELS, config.latent_height, config.latent_width)
    condition = Condition(torch.randn(2, 2, *shape), torch.randn(2, 6, 17))
    noisy, zero = torch.randn(2, 5, *shape), torch.zeros(2)
    torch.testing.assert_close(
        model.backbone(noisy, condition, zero, zero),
        earlier.backbone(noisy, condition, zero, zero),
        atol=0.02, rtol=0.02,  # weights are stored as float16
    )  # fmt: skip


def test_going_on_from_a_model_of_another_size_is_an_error_that_says_so(tmp_path: Path) -> None:
    earlier = tiny_world_model()
    save_world_model(tmp_path, earlier)
    config = replace(earlier.config, backbone=replace(earlier.config.backbone, widths=(32, 64)))
    with pytest.raises(ModelError, match='another size'):
        go_on_from(WorldModel(config, earlier.autoencoder), tmp_path)


# Collection


def test_evaluation_seeds_cannot_be_collected_for_training(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='--evaluation'):
        CollectSettings(out=tmp_path, episodes=2, seed=1_000_000)
    with pytest.raises(ConfigError, match='unseen objects'):
        CollectSettings(out=tmp_path, episodes=2, unseen='objects')


@pytest.mark.parametrize('seed', range(5))
def test_behaviours_stay_in_their_box(seed: int) -> None:
    rng = np.random.default_rng(seed)
    objects = {'mug': np.array([0.6, 0.2, 0.04]), 'bowl': np.array([0.4, -0.1, 0.03])}
    for behaviour in (Wander(), Visit(), Push('mug', rng), Pick('mug', rng)):
        tcp = np.array([0.5, 0.0, 0.25])
        closed = set()
        for _ in range(60):
            decision = behaviour(rng, tcp, objects)
            tcp = tcp + decision.displacement
            closed.add(decision.closedness)
            assert (tcp >= BOX_LOW - 1e-9).all()
            assert (tcp <= BOX_HIGH + 1e-9).all()
        if isinstance(behaviour, Pick):
            assert closed == {0.0, 1.0}
    np.testing.assert_allclose(keep_inside(BOX_HIGH, np.ones(3)), 0)


def test_a_push_sweeps_low_through_its_object() -> None:
    rng, mug = np.random.default_rng(0), np.array([0.5, 0.1, 0.04])
    push, tcp, low = Push('mug', rng), np.array([0.5, 0.0, 0.2]), []
    for _ in range(60):
        tcp = tcp + push(rng, tcp, {'mug': mug}).displacement
        low.append(np.linalg.norm(tcp - mug) < 0.09 and tcp[2] < 0.06)
    assert any(low)


def test_visits_come_to_every_object() -> None:
    rng = np.random.default_rng(0)
    objects = {'mug': np.array([0.6, 0.2, 0.04]), 'bowl': np.array([0.4, -0.1, 0.03])}
    visit, tcp, near, aims = Visit(), np.array([0.5, 0.0, 0.2]), set(), set()
    for _ in range(100):
        tcp = tcp + visit(rng, tcp, objects).displacement
        near |= {k for k, place in objects.items() if np.linalg.norm((tcp - place)[:2]) < 0.06}
        aims.add(visit.aim)
    assert aims == {'mug', 'bowl'}
    assert near == {'mug', 'bowl'}
