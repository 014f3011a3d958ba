# SPDX-License-Identifier: Apache-2.0
"""The command that distils: it resumes as if it had never stopped."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from tests.fakes.tiny import save_models, tiny_world_model
from tests.training.tiny_shards import write_shard
from vidplan_core.world_model.checkpoint import save_world_model
from vidplan_training.engine.config import TrainerConfig
from vidplan_training.recipes.flow_map import recipe as command
from vidplan_training.recipes.flow_map.settings import FlowMapConfig, FlowMapRecipe


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('data')
    for index in range(2):
        write_shard(folder / f'shard_{index:04d}', episodes=2, frames=10)
    return folder


@pytest.fixture
def models(tmp_path: Path) -> Path:
    model = tiny_world_model()
    save_models(tmp_path / 'models', model)
    return tmp_path / 'models'


def recipe(data: Path, models: Path, out: Path) -> FlowMapRecipe:
    """Four iterations; checks of two clips and three steps."""
    return FlowMapRecipe(
        data=data, models=models, out=out, work=models.parent / 'run.pt', batch=3, checked=2,
        teacher_steps=3, learned_weight=True, objective=FlowMapConfig(guidance=(1.0, 2.0)),
        trainer=TrainerConfig(4, 3e-4, save_every=2),
    )  # fmt: skip


def weights(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / 'weights.safetensors')


def test_a_resumed_run_ends_with_the_same_weights(
    data: Path, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, parts = tmp_path / 'whole', tmp_path / 'parts'
    command.run(recipe(data, models, whole))
    told = capsys.readouterr().out
    assert 'held out before: error_1' in told
    assert re.search(r'\[4\] loss .*error_1 .*teacher_4 ', told)
    (tmp_path / 'run.pt').unlink()
    stopped = recipe(data, models, parts)
    with pytest.MonkeyPatch.context() as patch:
        halt_after(3, patch)
        with pytest.raises(KeyboardInterrupt):
            command.run(stopped)
    # The teacher is the one that the run began with, whatever is in its place by now.
    save_world_model(models / 'world_model', tiny_world_model(seed=5))
    command.run(stopped)
    one, other = weights(whole), weights(parts)
    assert one.keys() == other.keys() == weights(models / 'world_model').keys()
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, msg=name)


def halt_after(iterations: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the run save itself and stop, as if interrupted, after some iterations."""
    original = command.Trainer.step

    def step(self, loss):
        if self.iteration == iterations:
            self.save()
            raise KeyboardInterrupt
        return original(self, loss)

    monkeypatch.setattr(command.Trainer, 'step', step)
