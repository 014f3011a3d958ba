# SPDX-License-Identifier: Apache-2.0
"""The script for a machine with a GPU: its parts run, keep to their time and go on where left."""

from __future__ import annotations

import importlib.util
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from tests.fakes.tiny import save_models, tiny_ctrl_world, tiny_world_model
from tests.training.tiny_shards import write_shard
from vidplan.cli.main import make_parser
from vidplan_eval.speed import engine_model
from vidplan_training.engine.trainer import Trainer

ROOT = Path(__file__).resolve().parents[2]


def script(name: str) -> ModuleType:
    """A module of scripts/, which is no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f'scripts/{name}.py')
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


bench = script('bench_gpu')


def part(name: str, out: Path, does: str, seconds: float = 60.0) -> Any:
    """A part that runs some Python, with FILE where its result belongs."""
    command = does.replace('FILE', repr(str(out / f'{name}.json')))
    return bench.Part(name, seconds, (sys.executable, '-S', '-c', command))


def ended(out: Path, parts: list[Any], *words: str) -> dict[str, Any]:
    """The file after all parts, each by name."""
    args = bench.parse([str(out), *words])
    bench.run_parts(parts, {'parts': {}}, args)
    return json.loads((out / bench.RESULT).read_text())['parts']


def test_parts_are_kept_told_and_do_not_take_each_other_along(tmp_path: Path) -> None:
    found = ended(
        tmp_path,
        [
            part('a', tmp_path, 'print("at a"); open(FILE, "w").write("[1]")'),
            part('b', tmp_path, 'open(FILE, "w").write("[2]"); raise SystemExit(3)'),
            part('c', tmp_path, 'pass', seconds=bench.LEAST_S - 1),
        ],
    )
    assert [found[name]['exit'] for name in 'abc'] == [0, 3, None]
    assert [found[name]['result'] for name in 'abc'] == [[1], [2], None]
    assert found['c']['ended'] == 'no time was left'
    log = (tmp_path / bench.LOG).read_text()
    assert '\nat a\n' in log
    assert '== b ended with status 3' in log


def test_a_part_out_of_time_is_ended_and_what_it_wrote_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, 'LEAST_S', 0.0)
    waits = 'import time; open(FILE, "w").write("[1]"); time.sleep(600)'
    one = part('a', tmp_path, 'import time; time.sleep(600)', seconds=0.01)
    deaf = 'import signal; signal.signal(2, signal.SIG_IGN); ' + waits
    monkeypatch.setattr(bench, 'GRACE_S', 0.01)
    found = ended(tmp_path, [one, part('b', tmp_path, deaf, seconds=1.0)])
    assert found['a']['ended'] == found['b']['ended'] == 'out of time'
    assert found['a']['exit'] != 0
    assert found['b']['exit'] == -9


def test_a_part_does_not_outlive_the_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []

    def interrupted(process: Any, *_: Any) -> bool:
        started.append(process)
        raise KeyboardInterrupt

    monkeypatch.setattr(bench, 'follow', interrupted)
    with pytest.raises(KeyboardInterrupt):
        ended(tmp_path, [part('a', tmp_path, 'import time; time.sleep(600)')])
    assert started[0].wait(60) == -signal.SIGKILL


def test_what_a_cpu_is_spared_is_named(tmp_path: Path) -> None:
    asked = [str(tmp_path), '--size', 'tiny', '--only', 'compiled', '--device']
    (on_cpu,) = bench.parts_of(bench.parse([*asked, 'cpu']))
    (on_gpu,) = bench.parts_of(bench.parse([*asked, 'cuda']))
    assert 'plan' not in on_cpu.command
    assert 'plan' in on_gpu.command
    assert on_gpu.left_out == ''
    command = part('compiled', tmp_path, 'pass').command
    row = ended(tmp_path, [bench.Part('compiled', 60.0, command, on_cpu.left_out)])['compiled']
    assert 'a CPU takes tens of minutes' in row['left_out']


def test_what_ended_well_is_not_done_again(tmp_path: Path) -> None:
    args = bench.parse([str(tmp_path), '--size', 'tiny', '--device', 'cpu'])
    result = bench.started(args)
    once = [part('a', tmp_path, 'open(FILE, "w").write("[1]")')]
    assert bench.run_parts(once, result, args)
    never = [part('a', tmp_path, 'raise SystemExit(1)')]
    assert bench.run_parts(never, bench.started(args), args)
    other = bench.parse([str(tmp_path), '--size', 'small', '--device', 'cpu'])
    assert bench.started(other)['parts'] == {}


def test_a_missing_gpu_is_told_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    assert bench.main([str(tmp_path)]) == 2
    assert 'no CUDA device here; say --device cpu' in capsys.readouterr().err
    assert json.loads((tmp_path / bench.RESULT).read_text())['parts'] == {}
    monkeypatch.setitem(sys.modules, 'torch', None)
    assert bench.main([str(tmp_path), '--device', 'cpu']) == 2
    assert 'has no PyTorch' in capsys.readouterr().err


@pytest.mark.parametrize('size', ['tiny', 'full'])
def test_the_parts_commands_are_understood_and_fit_their_time(size: str, tmp_path: Path) -> None:
    args = bench.parse([str(tmp_path), '--size', size, '--device', 'cpu'])
    parts = {part.name: part for part in bench.parts_of(args)}
    assert list(parts) == ['agreement', 'eager', 'compiled', 'training']
    for name in ('eager', 'compiled'):
        words = parts[name].command[parts[name].command.index('bench') :]
        asked = make_parser(words).parse_args(words)
        assert asked.json == tmp_path / f'{name}.json'
    assert parts['agreement'].seconds + parts['eager'].seconds < bench.BENCH_S
    words = parts['training'].command
    seconds = float(words[words.index('--seconds') + 1])
    assert seconds <= bench.TRAINING_S - 60
    slow = bench.parts_of(bench.parse([str(tmp_path), '--size', size, '--slack', '3']))[-1].command
    assert float(slow[slow.index('--seconds') + 1]) == pytest.approx(3 * seconds)
    assert bench.parts_of(bench.parse([str(tmp_path), '--only', 'eager']))[0].name == 'eager'


def test_agreement_compares_and_notices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agreement = script('bench_agreement')
    monkeypatch.setattr(agreement, 'engine_spec', lambda _: tiny_ctrl_world(True))
    monkeypatch.setattr(agreement, 'STEPS', (1,))
    words = ['--device', 'cpu', '--size', 'tiny', '--json', str(tmp_path / 'a.json')]
    allowed = agreement.TOLERANCE['bf16']
    monkeypatch.setitem(agreement.TOLERANCE, 'bf16', 1e-7)
    assert agreement.main(words) == 1
    apart = json.loads((tmp_path / 'a.json').read_text())['relative_difference']
    assert apart['fp32_1'] == {'latents': 0.0, 'pictures': 0.0}
    assert 1e-7 < apart['bf16_1']['latents'] < allowed
    monkeypatch.delitem(agreement.TOLERANCE, 'bf16')
    assert agreement.main(words) == 0


def test_training_stops_in_time_and_its_curves_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = script('bench_training')
    monkeypatch.setenv('ACCELERATE_USE_CPU', '1')
    for shard in range(10):
        write_shard(tmp_path / 'data' / f'shard_{shard:05d}', frames=12)
    save_models(tmp_path / 'models', tiny_world_model())
    more = [f'models={tmp_path}/models', 'batch=1', 'checked=1', 'model.widths=32,32']
    words = ['--out', str(tmp_path), '--data', str(tmp_path / 'data'), '--device', 'cpu']
    words += ['--seconds', '30', '--json', str(tmp_path / 'training.json'), '--set', *more]
    assert training.main([*words, 'trainer.log_every=1', '--iterations', '2']) == 0
    found = json.loads((tmp_path / 'training.json').read_text())
    assert [step for step, _ in found['curves']['loss']] == [1, 2]
    assert found['seconds'] < 30
    step = Trainer.step

    def late(trainer: Trainer, loss: Callable[[int], torch.Tensor]) -> float:
        signal.raise_signal(signal.SIGALRM)
        return step(trainer, loss)

    monkeypatch.setattr(Trainer, 'step', late)
    training.train(tmp_path / 'data', tmp_path / 'other', 60.0, 20000, more)
    state = torch.load(tmp_path / 'other' / 'run.pt', weights_only=True)
    assert state['iteration'] == 1


def test_sizes_are_those_of_the_bench() -> None:
    tiny, small, full = (engine_model.engine_spec(size) for size in ('tiny', 'small', 'full'))
    assert (tiny.world_model.height, small.world_model.height) == (64, full.world_model.height)
    assert tiny.world_model.backbone.widths < full.world_model.backbone.widths
