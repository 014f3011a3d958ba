# SPDX-License-Identifier: Apache-2.0
"""What training at full size needs: low-rank changes, less memory, bounded checks, no average."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from tests.fakes.tiny import straight_chunk, tiny_ctrl_world
from vidplan_core.errors import ConfigError
from vidplan_core.world_model.world_model import WorldModel
from vidplan_training.data.latents import Clips
from vidplan_training.engine.config import TrainerConfig
from vidplan_training.engine.lora import LowRank, add_lora, merge_lora
from vidplan_training.engine.trainer import Trainer
from vidplan_training.recipes.world_model.recipe import held_out_error, loss_of, with_noise
from vidplan_training.recipes.world_model.settings import WorldModelRecipe
from vidplan_training.settings.presets import load_preset
from vidplan_training.settings.resolve import resolve


@pytest.fixture
def model() -> WorldModel:
    torch.manual_seed(0)
    return tiny_ctrl_world(True).build()


def clips_of(model: WorldModel, count: int) -> Clips:
    """Random latents and a straight motion."""
    config, draw = model.config, torch.Generator().manual_seed(0)
    frames = config.history_frames - 1 + config.frames
    shape = (count, frames, model.mean.shape[2], config.latent_height, config.latent_width)
    poses = straight_chunk(torch.full((count, 3), 0.05), frames=frames)
    return Clips(torch.randn(shape, generator=draw), poses, ('',) * count)


def gradients(model: WorldModel) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    loss_of(model, clips_of(model, 1), 0.0).backward()
    return {n: p.grad for n, p in model.backbone.named_parameters() if p.grad is not None}


def test_computing_activations_again_changes_no_gradient(model: WorldModel) -> None:
    model.requires_grad_(False).backbone.requires_grad_(True)
    kept = gradients(model)
    model.zero_grad()
    model.backbone.train().keep_no_activations()
    assert model.backbone.unet.mid_block.gradient_checkpointing
    again = gradients(model)
    assert kept.keys() == again.keys()
    apart = sum(float((again[name] - value).square().sum()) for name, value in kept.items())
    size = sum(float(value.square().sum()) for value in kept.values())
    assert apart < 1e-3 * size  # bfloat16 rounds both


def test_low_rank_changes_begin_as_nothing_and_are_all_that_learns(model: WorldModel) -> None:
    backbone = model.backbone.eval().requires_grad_(True)
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    clips = clips_of(model, 1)
    first = held_out_error(model, clips, 1)
    add_lora(backbone, rank=2)
    assert held_out_error(model, clips, 1) == pytest.approx(first)
    trained = [name for name, p in backbone.named_parameters() if p.requires_grad]
    assert trained
    assert all('.parametrizations.weight.0.' in name for name in trained)
    optimizer = torch.optim.SGD([p for p in backbone.parameters() if p.requires_grad], 10.0)
    torch.manual_seed(1)
    for _ in range(2):  # `down` has no gradient while `up` is zero
        optimizer.zero_grad()
        loss_of(model, clips, 0.0).backward()
        optimizer.step()
    learned = held_out_error(model, clips, 1)
    merge_lora(backbone)
    after = backbone.state_dict()
    assert after.keys() == before.keys()
    assert held_out_error(model, clips, 1) == pytest.approx(learned, rel=1e-3)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all('.to_' in name for name in changed)


def test_low_rank_is_the_written_product() -> None:
    weight = torch.randn(4, 3)
    low = LowRank(weight, 1)
    nn.init.ones_(low.up)
    torch.testing.assert_close(low(weight), weight + 2.0 * torch.ones(4, 1) @ low.down)
    with pytest.raises(ConfigError, match='no attention'):
        add_lora(nn.Linear(2, 2), 1)


def test_checks_in_parts_measure_the_same(model: WorldModel) -> None:
    model.eval()
    clips = clips_of(model, 3)
    whole = held_out_error(model, clips, 3)
    assert held_out_error(model, clips, 2) == pytest.approx(whole, rel=1e-3)


def test_the_past_gets_the_noise_that_is_configured(model: WorldModel) -> None:
    history = torch.zeros(64, 7, 4, 6, 4)
    torch.manual_seed(0)
    spread = with_noise(history, model.config).std((0, 2, 3, 4))
    # std of s/sqrt(s^2 + 1): s normal with 0.3 for the past, even in 0 .. 0.2 for the present.
    assert spread[:-1].mean() == pytest.approx(0.28, abs=0.03)
    assert spread[-1] == pytest.approx(0.115, abs=0.02)


def test_without_an_average_the_weights_are_kept_once(tmp_path: Path) -> None:
    module = nn.Linear(2, 1)
    trainer = Trainer(module, TrainerConfig(2, 0.1, ema=0.0, precision='no'), tmp_path / 'run.pt')
    assert trainer.average['weight'].data_ptr() == module.weight.data_ptr()
    trainer.run(lambda iteration: module(torch.ones(1, 2)).square().mean())
    learned = module.weight.detach().clone()
    assert torch.equal(trainer.use_average().weight, learned)
    again = nn.Linear(2, 1)
    resumed = Trainer(again, TrainerConfig(2, 0.1, ema=0.0, precision='no'), tmp_path / 'run.pt')
    assert resumed.iteration == 2
    assert torch.equal(again.weight, learned)


def test_the_full_presets_spare_memory_and_what_was_learned() -> None:
    recipe = resolve(WorldModelRecipe, load_preset('world-model', 'full'), {})
    assert (recipe.regression, recipe.checkpointing, recipe.checked_at_once) == (0.0, True, 2)
    assert recipe.trainer.learning_rate == 1e-5
