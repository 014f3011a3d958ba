# SPDX-License-Identifier: Apache-2.0
"""A training that is spread over processes is that of one, and goes on with any number of them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.fakes.tiny import tiny_ctrl_world
from vidplan_core.errors import ConfigError
from vidplan_core.world_model.backbones.interface import Backbone
from vidplan_training.engine import sharding
from vidplan_training.engine.config import TrainerConfig
from vidplan_training.engine.lora import add_lora
from vidplan_training.engine.trainer import Trainer

FIRST, LAST, BATCH = 3, 6, 4
# Each process runs this module, from where it finds the other ones of the tests.
ROOT, NAME = Path(__file__).resolve().parents[3], 'tests.training.engine.test_sharding'


class Chain(Backbone):
    """Layers in a list, as the networks of diffusers have theirs, and one that is frozen."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(8, 8) for _ in range(3)])
        self.frozen = nn.Linear(8, 8).requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        for layer in self.layers:
            x = torch.tanh(layer(x))
        return self.frozen(x)

    def restart_target(self, gap: float) -> None:
        """Nothing."""


def train(folder: Path, last: int, spread: bool) -> dict[str, Tensor]:
    """A chain, and a weight beside it, up to an iteration; what was learned, whole."""
    torch.manual_seed(0)
    module = nn.ModuleDict({'backbone': Chain(), 'beside': nn.Linear(8, 1)})
    config = TrainerConfig(LAST, 1e-2, warmup=0, shard=spread, precision='no')
    trainer = Trainer(module, config, folder / 'run.pt')
    assert trainer.sharded == spread

    def loss(iteration: int) -> Tensor:
        x = torch.randn(BATCH, 8, generator=torch.Generator().manual_seed(iteration))
        found = module['beside'](module['backbone'](trainer.shard.of(x)))
        return (found - trainer.shard.of(x.sum(1, keepdim=True))).square().mean()

    while trainer.iteration < last:
        trainer.step(loss)
    trainer.save()
    trainer.use_average()
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


@pytest.mark.slow
def test_two_processes_learn_save_and_go_on_as_one_does(tmp_path: Path) -> None:
    """Spread all the way with a break, and whole after a beginning that was spread."""
    launcher = ['torch.distributed.run', '--standalone', '--nproc-per-node', '2', '--module']
    command = [sys.executable, '-m', *launcher, NAME, str(tmp_path)]
    subprocess.run(command, check=True, timeout=280, cwd=ROOT)
    for last in (FIRST, LAST):
        alone = train(tmp_path / 'one', last, spread=False)
        for process in range(2):
            found = torch.load(tmp_path / f'{last}_{process}.pt')
            torch.testing.assert_close(found, alone)
    torch.testing.assert_close(train(tmp_path / 'changing', LAST, spread=False), alone)


def in_one_of_two(folder: Path) -> None:
    """Learn, spread, with a break; whole results are kept, and the checkpoint of the break."""
    for last in (FIRST, LAST):
        learned = train(folder / 'two', last, spread=True)
        torch.save(learned, folder / f'{last}_{torch.distributed.get_rank()}.pt')
        if last == FIRST and torch.distributed.get_rank() == 0:
            shutil.copytree(folder / 'two', folder / 'changing')


def test_units_are_what_is_called_and_hold_every_weight_once() -> None:
    backbone = tiny_ctrl_world(True).build().backbone
    found = sharding.units(backbone, least=20_000)
    assert found[-1] is backbone
    assert len(found) > 5
    assert not any(isinstance(part, nn.ModuleList) for part in found)
    sizes = list(sharding._own_sizes(backbone, 20_000))
    assert sum(sizes) == sum(p.numel() for p in backbone.parameters())
    assert sharding.largest_unit(backbone, 20_000) == max(sizes)


def test_what_cannot_be_spread_is_named() -> None:
    with pytest.raises(ConfigError, match='for what trains a world model'):
        sharding.shard(nn.Linear(2, 2), 2, torch.device('cpu'))
    model = tiny_ctrl_world(True).build()
    add_lora(model.backbone, 2)
    with pytest.raises(ConfigError, match='lora_rank=0'):
        sharding.shard(model, 2, torch.device('cpu'))


def test_gradients_are_clipped_as_pytorch_does() -> None:
    torch.manual_seed(0)
    layers = [nn.Linear(4, 3) for _ in range(2)]
    layers[1].load_state_dict(layers[0].state_dict())
    for layer in layers:
        layer(torch.ones(2, 4)).square().sum().backward()
    found = sharding.clip_gradients([*layers[0].parameters()], 0.1)
    wanted = nn.utils.clip_grad_norm_(layers[1].parameters(), 0.1)
    torch.testing.assert_close(found, wanted)
    for mine, its in zip(layers[0].parameters(), layers[1].parameters(), strict=True):
        torch.testing.assert_close(mine.grad, its.grad)


if __name__ == '__main__':
    sharding.LEAST_UNIT = 8
    in_one_of_two(Path(sys.argv[1]))
