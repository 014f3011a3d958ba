# SPDX-License-Identifier: Apache-2.0
"""One curve for one process and many, whole or resumed, at once or in parts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vidplan_core.errors import ConfigError, ModelError
from vidplan_training.engine.batch_shard import BatchShard
from vidplan_training.engine.interruption import Interruption
from vidplan_training.engine.trainer import Trainer, TrainerConfig

ITERATIONS = 20
BATCH = 16


def make(checkpoint: Path, **settings: object) -> Trainer:
    torch.manual_seed(5)
    module = nn.Linear(3, 1)
    config = TrainerConfig(ITERATIONS, 0.05, warmup=2, **settings)
    return Trainer(module, config, checkpoint)


def noisy_regression(trainer: Trainer) -> Callable[[int], Tensor]:
    """Data and noise of a batch by its iteration; the loss takes its share of both."""

    def loss(iteration: int) -> Tensor:
        rows = np.random.default_rng(iteration).normal(size=(BATCH, 3))
        x = trainer.shard.of(torch.from_numpy(rows).float())
        y = x.sum(1, keepdim=True) + 0.1 * trainer.shard.randn_like(x[:, :1])
        return (trainer.module(x) - y).square().mean()

    return loss


def curve(trainer: Trainer, stop: int = ITERATIONS) -> list[float]:
    loss = noisy_regression(trainer)
    return [trainer.step(loss) for _ in range(trainer.iteration, stop)]


@pytest.fixture(scope='module')
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    """The curve of one process without accumulation."""
    losses = curve(make(tmp_path_factory.mktemp('whole') / 'run.pt'))
    assert losses[-1] < 0.5 * losses[0]
    return losses


@pytest.mark.parametrize('parts', [2, 4])
def test_accumulated_parts_equal_the_batch(tmp_path: Path, whole: list[float], parts: int) -> None:
    assert curve(make(tmp_path / 'run.pt', accumulate=parts)) == pytest.approx(whole, abs=1e-6)


def test_accumulation_may_change_when_a_run_is_resumed(tmp_path: Path, whole: list[float]) -> None:
    first = make(tmp_path / 'run.pt')
    losses = curve(first, 9)
    first.save()
    losses += curve(make(tmp_path / 'run.pt', accumulate=4))
    assert losses == pytest.approx(whole, abs=1e-6)


@pytest.mark.slow
def test_two_processes_follow_the_curve_of_one(tmp_path: Path, whole: list[float]) -> None:
    script = tmp_path / 'two.py'
    script.write_text(
        textwrap.dedent("""
        import json
        import sys
        from pathlib import Path

        sys.path.insert(0, sys.argv[1])
        from test_trainer import curve, make

        folder = Path(sys.argv[2])
        trainer = make(folder / 'run.pt')
        assert trainer.processes.count == 2
        losses = curve(trainer)
        weights = trainer.use_average().weight.flatten().tolist()
        (folder / f'{trainer.processes.index}.txt').write_text(json.dumps([losses, weights]))
        trainer.save()
        """)
    )
    launcher = ['torch.distributed.run', '--standalone', '--nproc-per-node', '2']
    here = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, '-m', *launcher, str(script), here, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    first, second = ((tmp_path / f'{i}.txt').read_text() for i in range(2))
    assert first == second
    losses = json.loads(first)[0]
    assert losses == pytest.approx(whole, abs=1e-5)
    assert make(tmp_path / 'run.pt').iteration == ITERATIONS


def test_a_loss_that_ignores_its_share_is_refused(tmp_path: Path) -> None:
    trainer = make(tmp_path / 'run.pt', accumulate=2)
    with pytest.raises(ConfigError, match='does not divide its batch'):
        trainer.step(lambda _: trainer.module(torch.ones(4, 3)).mean())


def test_shares_cover_a_batch_and_its_noise() -> None:
    parts = []
    for index in range(4):
        torch.manual_seed(3)
        parts.append(BatchShard(index, 4).randn_like(torch.zeros(2, 5)))
    torch.manual_seed(3)
    torch.testing.assert_close(torch.cat(parts), torch.randn(8, 5))
    with pytest.raises(ConfigError, match='multiple of 3'):
        BatchShard(0, 3).rows(16)


# Checkpoints


def test_a_checkpoint_of_the_first_trainer_resumes(tmp_path: Path, whole: list[float]) -> None:
    """Before there were shares: a loop of its own writes the same parts."""
    trainer = make(tmp_path / 'other.pt')
    loss, module = noisy_regression(trainer), trainer.module
    optimizer = torch.optim.AdamW(module.parameters(), 0.05, weight_decay=1e-2, betas=(0.9, 0.99))
    average = {n: p.detach().clone() for n, p in module.named_parameters()}
    for iteration in range(7):
        for group in optimizer.param_groups:
            trainer.iteration = iteration
            group['lr'] = trainer.learning_rate
        torch.manual_seed(iteration)
        optimizer.zero_grad()
        loss(iteration).backward()
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
        decay = min(0.999, (2 + iteration) / (11 + iteration))
        for name, parameter in module.named_parameters():
            average[name].lerp_(parameter.detach(), 1 - decay)
    state = {
        'iteration': 7,
        'module': module.state_dict(),
        'average': average,
        'optimizer': optimizer.state_dict(),
    }
    torch.save(state, tmp_path / 'run.pt')
    resumed = make(tmp_path / 'run.pt')
    assert curve(resumed) == pytest.approx(whole[7:], abs=1e-6)


@pytest.mark.parametrize(
    ('spoil', 'message'),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-400]), 'corrupt or truncated'),
        (lambda path: path.write_bytes(b''), 'corrupt or truncated'),
        (lambda path: torch.save({'module': {}}, path), "has no .*'optimizer'"),
        (lambda path: torch.save([1, 2], path), 'no checkpoint'),
    ],
    ids=['truncated', 'empty', 'parts missing', 'a list'],
)
def test_a_broken_checkpoint_is_named(
    tmp_path: Path, spoil: Callable[[Path], object], message: str
) -> None:
    path = tmp_path / 'run.pt'
    make(path).save()
    spoil(path)
    with pytest.raises(ModelError, match=message) as caught:
        make(path)
    assert str(path) in str(caught.value)


def test_a_checkpoint_of_another_model_names_its_tensors(tmp_path: Path) -> None:
    path = tmp_path / 'run.pt'
    make(path).save()
    with pytest.raises(ModelError, match=r'weight has shape \(1, 3\), expected \(1, 4\)'):
        Trainer(nn.Linear(4, 1), TrainerConfig(3), path)


# The loop


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_ends_the_run(
    tmp_path: Path, whole: list[float], number: signal.Signals
) -> None:
    trainer = make(tmp_path / 'run.pt')
    inner, losses = noisy_regression(trainer), []

    def loss(iteration: int) -> Tensor:
        if iteration == 5:
            os.kill(os.getpid(), number)
        value = inner(iteration)
        losses.append(value.item())
        return value

    with pytest.raises(SystemExit) as caught:
        trainer.run(loss)
    assert caught.value.code == 128 + number
    resumed = make(tmp_path / 'run.pt')
    assert resumed.iteration == 6
    assert losses + curve(resumed) == pytest.approx(whole, abs=1e-6)
    assert signal.getsignal(number) is not trainer._interruption._ask


def test_a_second_signal_insists(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [10.0]
    monkeypatch.setattr('time.monotonic', lambda: now[0])
    # A job in the background of a shell would ignore it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with Interruption() as interruption:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)  # the launcher's, of the same press
        assert interruption.signal == signal.SIGINT
        now[0] = 20.0
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    signal.signal(signal.SIGINT, before)


def test_a_gradient_that_is_not_finite_stops_the_run(tmp_path: Path) -> None:
    trainer = make(tmp_path / 'run.pt')
    before = trainer.module.weight.detach().clone()

    def loss(iteration: int) -> Tensor:
        return trainer.module.weight.sub(before).abs().sqrt().sum()  # infinite slope at 0

    with pytest.raises(FloatingPointError, match='gradient'):
        trainer.step(loss)
    torch.testing.assert_close(trainer.module.weight, before)


def test_curves_can_be_looked_at(tmp_path: Path, whole: list[float]) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    trainer = make(tmp_path / 'run.pt', log=tmp_path / 'curves', log_every=5, save_every=10)
    trainer.run(noisy_regression(trainer), lambda iteration: {'held_out': 1.0 / iteration})
    events = EventAccumulator(str(tmp_path / 'curves')).Reload()
    points = [(point.step, point.value) for point in events.Scalars('loss')]
    assert [step for step, _ in points] == [5, 10, 15, 20]
    assert [value for _, value in points] == pytest.approx([whole[i] for i in (4, 9, 14, 19)])
    assert [point.value for point in events.Scalars('held_out')] == pytest.approx([0.1, 0.05])
