# SPDX-License-Identifier: Apache-2.0
"""A world model learns from latents of a robot's episodes, and goes on where it stopped."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from recordings import write_ctrl_world

from vidplan_core.errors import ModelError
from vidplan_training.cli import main
from vidplan_training.trainer import Trainer
from vidplan_training.world_model_data import LatentsOnly

ITERATIONS = 80


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_ctrl_world(tmp_path / 'data', [14] * 6, [12, 14])
    return tmp_path


def train(root: Path, run: str, *more: str) -> int:
    command = (
        f'world-model --source ctrl-world --data {root}/data --models {root}/models '
        f'--out {root}/{run} --work {root}/{run}.pt --iterations {ITERATIONS} --batch 4 '
        '--widths 32 32 --learning-rate 3e-3 --save-every 10'
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


def stop_at(iteration: int, monkeypatch: pytest.MonkeyPatch) -> None:
    step = Trainer.step

    def stopping(trainer: Trainer, loss: Callable[[int], torch.Tensor]) -> float:
        if trainer.iteration == iteration:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(trainer, loss)

    monkeypatch.setattr(Trainer, 'step', stopping)


def test_a_place_for_the_model_must_be_named(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(f'world-model --source ctrl-world --data {root}/data'.split()) == 2
    assert '--out' in capsys.readouterr().err


def test_lerobot_episodes_need_a_place_for_their_latents(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from recordings import write_lerobot

    write_lerobot(tmp_path / 'data', 'v2.1', [12, 12])
    command = f'world-model --source lerobot --data {tmp_path}/data --out {tmp_path}/out'
    assert main(command.split()) == 2
    assert '--latents DIR' in capsys.readouterr().err


def test_a_stand_in_for_an_autoencoder_says_what_it_is() -> None:
    with pytest.raises(ModelError, match='its autoencoder is not here'):
        LatentsOnly(4).encode(torch.zeros(1, 3, 8, 8))
