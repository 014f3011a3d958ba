# SPDX-License-Identifier: Apache-2.0
"""A world model learns from latents of a robot's episodes, and goes on where it stopped."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.fakes.tiny import tiny_ctrl_world
from tests.training.recordings import write_ctrl_world
from vidplan_core.errors import ModelError
from vidplan_core.models.io import read_config, save_weights, to_dict
from vidplan_core.world_model.autoencoders.build import save_autoencoder
from vidplan_core.world_model.checkpoint import load_world_model, save_world_model
from vidplan_core.world_model.world_model import WorldModel
from vidplan_training.cli import main
from vidplan_training.engine.trainer import Trainer
from vidplan_training.recipes.world_model.data import LatentsOnly

ITERATIONS = 80


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_ctrl_world(tmp_path / 'data', [14] * 6, [12, 14])
    return tmp_path


def train(root: Path, run: str, *more: str) -> int:
    command = (
        f'world-model --preset smoke --set source=ctrl-world data={root}/data batch=4 '
        f'models={root}/models out={root}/{run} work={root}/{run}.pt checked=96 '
        f'trainer.iterations={ITERATIONS} trainer.learning_rate=3e-3 trainer.save_every=10'
    )
    return main([*command.split(), *more])


def weights(root: Path, run: str) -> torch.Tensor:
    state = torch.load(root / f'{run}.pt', weights_only=True)['module']
    return torch.cat([state[name].flatten() for name in sorted(state)])


def test_held_out_error_falls_and_a_stopped_run_goes_on(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(root, 'whole') == 0
    told = re.findall(
        r'held_out_error ([\d.e-]+)  held_out_copy ([\d.e-]+)', capsys.readouterr()[0]
    )
    errors, copied = [float(e) for e, _ in told], float(told[0][1])
    assert len(errors) == 8
    assert errors[-1] < 0.6 * errors[0]
    assert errors[-1] < 0.75 * copied
    config = json.loads((root / 'whole' / 'config.json').read_text())
    assert (config['height'], config['width'], len(config['latent_mean'])) == (16, 32, 4)

    stop_at(45, monkeypatch)
    with pytest.raises(SystemExit):
        train(root, 'parts')
    monkeypatch.undo()
    assert train(root, 'parts') == 0
    assert 'resumed' in capsys.readouterr().out
    torch.testing.assert_close(weights(root, 'parts'), weights(root, 'whole'), rtol=0, atol=1e-6)


def save_models(folder: Path, target_time: bool = False) -> WorldModel:
    """A shrunken Ctrl-World: seven past frames, instructions, poses as DROID's."""
    torch.manual_seed(0)
    model = tiny_ctrl_world(target_time).build()
    assert model.text_encoder is not None
    save_autoencoder(folder / 'autoencoder', model.autoencoder)
    text = model.text_encoder
    save_weights(folder / 'text_encoder', to_dict(text.config), text.state_dict(), None)
    save_world_model(folder / 'world_model', model, torch.bfloat16)
    return model


def test_a_released_model_goes_on_with_its_own_sizes_and_normalisation(tmp_path: Path) -> None:
    data, models = tmp_path / 'data', tmp_path / 'models'
    write_ctrl_world(data, [12, 14], [12], shape=(4, 4, 8))
    before = save_models(models)
    command = (
        f'world-model --preset full --set data={data} models={models} batch=2 '
        f'start={models}/world_model out={tmp_path}/out/world_model work={tmp_path}/run.pt '
        'trainer.iterations=2 trainer.learning_rate=1e-2'
    )
    assert main(command.split()) == 0
    for part in ('autoencoder', 'text_encoder'):
        (tmp_path / 'out' / part).symlink_to(models / part)
    after = load_world_model(tmp_path / 'out')
    assert after.config == before.config
    moved = [
        name
        for name, value in after.backbone.state_dict().items()
        if not torch.allclose(value.float(), before.backbone.state_dict()[name].float(), atol=1e-3)
    ]
    assert moved
    state = torch.load(tmp_path / 'run.pt', weights_only=True)['module']
    assert {value.dtype for value in state.values()} == {torch.float32}
    for name, value in before.autoencoder.state_dict().items():
        torch.testing.assert_close(state[f'autoencoder.{name}'], value, rtol=2e-3, atol=1e-3)


def test_latents_of_another_size_are_refused(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_models(root / 'models')
    assert train(root, 'other', f'start={root}/models/world_model') == 2
    assert 'are (4, 6, 4), the model has (4, 12, 8)' in capsys.readouterr().err


@pytest.mark.parametrize(('backbone', 'features'), [('unet2d', 'droid'), ('svd', 'relative')])
def test_new_models_of_every_kind_can_be_trained(
    tmp_path: Path, backbone: str, features: str
) -> None:
    write_ctrl_world(tmp_path / 'data', [9, 9], [9], shape=(4, 4, 8))
    command = (
        f'world-model --preset smoke --set source=ctrl-world data={tmp_path}/data '
        f'models={tmp_path}/models out={tmp_path}/out work={tmp_path}/run.pt '
        f'trainer.iterations=1 model.backbone={backbone} model.action_features={features}'
    )
    assert main(command.split()) == 0
    config = json.loads((tmp_path / 'out' / 'config.json').read_text())
    assert (config['backbone']['kind'], config['action_features']) == (backbone, features)


def test_a_model_of_latents_becomes_a_flow_map(tmp_path: Path) -> None:
    """Without an autoencoder, with instructions, and with its history far apart."""
    write_ctrl_world(tmp_path / 'data', [12, 14], [12], shape=(4, 4, 8))
    models = tmp_path / 'models'
    teacher = save_models(models, target_time=True)
    shutil.rmtree(models / 'autoencoder')
    command = (
        f'flow-map --preset smoke --set source=ctrl-world data={tmp_path}/data checked=2 '
        f'models={models} trainer.iterations=1 work={tmp_path}/run.pt out={tmp_path}/out'
    )
    assert main(command.split()) == 0
    assert read_config(tmp_path / 'out') == read_config(models / 'world_model')
    moved = load_file(tmp_path / 'out' / 'weights.safetensors')
    before = teacher.backbone.state_dict()
    name = 'target_embedding.linear_2.weight'
    assert not torch.equal(moved[f'backbone.{name}'].float(), before[name])


def stop_at(iteration: int, monkeypatch: pytest.MonkeyPatch) -> None:
    step = Trainer.step

    def stopping(trainer: Trainer, loss: Callable[[int], torch.Tensor]) -> float:
        if trainer.iteration == iteration:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(trainer, loss)

    monkeypatch.setattr(Trainer, 'step', stopping)


def test_lerobot_episodes_need_a_place_for_their_latents(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.training.recordings import write_lerobot

    write_lerobot(tmp_path / 'data', 'v2.1', [12, 12])
    where = f'data={tmp_path}/data out={tmp_path}/out'
    command = f'world-model --set source=lerobot {where}'
    assert main(command.split()) == 2
    assert 'latents=FOLDER' in capsys.readouterr().err


def test_a_stand_in_for_an_autoencoder_says_what_it_is() -> None:
    with pytest.raises(ModelError, match='its autoencoder is not here'):
        LatentsOnly(4).encode(torch.zeros(1, 3, 8, 8))
