# SPDX-License-Identifier: Apache-2.0
"""The engine's bench measures what it says, on a tiny model of the real classes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.fakes.tiny import save_models, tiny_ctrl_world, tiny_world_model
from vidplan.cli import gpu
from vidplan.cli.main import main
from vidplan_core.world_model.checkpoint import to_channels_last
from vidplan_core.world_model.released import presets
from vidplan_core.world_model.sampling.sampler import SamplingConfig
from vidplan_eval.speed.engine import Engine, EngineConfig
from vidplan_eval.speed.engine_bench import (
    count_tflop,
    graphs_compiled,
    waits_for_device,
)
from vidplan_eval.speed.engine_model import fill_at_random, load_engine_model

ROW = {'ms_p50', 'ms_p99', 'count', 'tflop', 'tflop_per_s'}


@pytest.fixture(scope='module')
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('models')
    model = tiny_world_model()
    save_models(folder, model)
    return folder


def bench(models: Path, path: Path, *words: str) -> dict:
    arguments = ['bench', 'engine', '--models', str(models), '--json', str(path), *words]
    assert main(arguments) == 0
    return json.loads(path.read_text())


def test_every_stage_is_in_the_file(models: Path, tmp_path: Path, capsys) -> None:
    words = ('--repeats', '1', '--steps', '2', '--iterations', '1')
    result = bench(models, tmp_path / 'engine.json', *words)
    rows = [result[n] for n in ('forward', 'forward_batch', 'encode', 'decode', 'decode_all')]
    rows += [result['candidates']['2'], *(result['plan']['2'][n] for n in ('full', 'last'))]
    for row in rows:
        assert set(row) == ROW
        assert 0 < row['ms_p50'] <= row['ms_p99']
        assert row['tflop_per_s'] == pytest.approx(1e3 * row['tflop'] / row['ms_p50'])
    assert result['recompilations'] == 0
    assert result['peak_memory_mb'] > 10
    assert result['settings']['engine']['candidates'] == 6
    assert 'plan.2.last' in capsys.readouterr().out
    forward = result['forward']['tflop']
    assert result['forward_batch']['tflop'] == pytest.approx(6 * forward)
    # All but the poses' features, which both steps share.
    assert result['candidates']['2']['tflop'] == pytest.approx(12 * forward, rel=1e-3)
    assert result['decode_all']['tflop'] == pytest.approx(4 * result['decode']['tflop'])
    # Six candidates, the best with its gradient, a trial; a gradient costs about a forward.
    # On the short path the first of the two steps has no backward pass.
    for path, forwards in (('full', 12 + 4 + 2), ('last', 12 + 3 + 2)):
        found = result['plan']['2'][path]['tflop']
        assert found == pytest.approx(forwards * forward, rel=0.02)


def test_quick_is_one_forward(models: Path, tmp_path: Path) -> None:
    result = bench(models, tmp_path / 'engine.json', '--quick', '--dtype', 'fp32')
    assert result['forward']['count'] == 1
    assert set(result) == {'forward', 'recompilations', 'peak_memory_mb', 'settings'}
    assert result['settings']['autocast'] is False


def test_a_gpu_that_is_not_there_is_told(models: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(gpu, 'gpu_count', lambda: 0)
    monkeypatch.setattr(gpu, 'torch_has_cuda', lambda: True)
    assert main(['bench', 'engine', '--models', str(models), '--device', 'cuda']) == 2
    assert 'the driver shows no GPU; say cpu' in capsys.readouterr().err


# What is timed is a plan


@pytest.mark.parametrize('kind', ['latent', 'picture'])
def test_a_plan_improves_on_its_best_candidate_and_decodes_one_frame(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_world_model()
    engine = Engine(model, EngineConfig(candidates=3, iterations=3, value=kind))
    decoded, decode = [], model.decode

    def counted(latents: Tensor) -> Tensor:
        decoded.append(latents.shape[1])
        return decode(latents)

    monkeypatch.setattr(model, 'decode', counted)
    sampling = SamplingConfig(1)
    with torch.no_grad():
        best = engine.candidates(sampling).max()
        assert engine.value(engine.plan(sampling), sampling) >= best
    assert set(decoded) == ({1} if kind == 'picture' else set())


# Counting


def test_arithmetic_is_counted_also_in_attention_on_a_cpu() -> None:
    a, b = torch.randn(8, 16), torch.randn(16, 4)
    assert count_tflop(lambda: a @ b) == pytest.approx(2 * 8 * 16 * 4 / 1e12)
    q, k, v = (torch.randn(2, 3, n, 8) for n in (10, 12, 12))
    products = 2 * 2 * 3 * 10 * 12 * 8
    attention = functional.scaled_dot_product_attention
    assert count_tflop(lambda: attention(q, k, v)) == pytest.approx(2 * products / 1e12)
    q.requires_grad_(True)
    forward_and_back = count_tflop(lambda: attention(q, k, v).sum().backward())
    assert forward_and_back == pytest.approx(7 * products / 1e12)


def test_a_new_shape_is_a_recompilation() -> None:
    double = torch.compile(lambda x: 2 * x, backend='eager', dynamic=False)
    double(torch.ones(3))
    warm = graphs_compiled()
    double(torch.ones(3))
    assert graphs_compiled() == warm
    double(torch.ones(4))
    assert graphs_compiled() == warm + 1


def test_channels_last_changes_the_layout_only() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Unflatten(0, (1, -1)), nn.Conv3d(2, 4, (1, 3, 3)))
    images = torch.rand(2, 3, 12, 12)
    before = model(images)
    to_channels_last(model)
    assert model[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert model[2].weight.is_contiguous(memory_format=torch.channels_last_3d)
    torch.testing.assert_close(model(images), before)


def test_models_without_weights_are_filled() -> None:
    with torch.device('meta'):
        model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Linear(8, 5))
    model.register_buffer('scale', torch.ones(2))
    fill_at_random(model, torch.device('cpu'), torch.bfloat16)
    for value in model.parameters():
        assert value.dtype == torch.bfloat16
        assert 0 < value.float().abs().max() < 0.2
    assert torch.equal(model.scale, torch.ones(2))


def test_a_cpu_is_not_waited_for() -> None:
    assert waits_for_device(lambda: None, torch.device('cpu')) is None


def test_full_size_is_ctrl_worlds_configuration_at_random(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(presets, 'ctrl_world', lambda: tiny_ctrl_world(target_time=True))
    model = load_engine_model('full', None, torch.device('cpu'), 'auto')
    assert {value.dtype for value in model.backbone.parameters()} == {torch.bfloat16}
    engine = Engine(model, EngineConfig(candidates=2, iterations=1))
    raw = engine.forward(2)
    assert raw.shape == engine.noise.expand(2, -1, -1, -1, -1).shape
    assert raw.isfinite().all()
    assert raw.std() > 0
    assert engine.plan(SamplingConfig(2, gradient='last')).isfinite().all()
    assert engine.decode(1).shape[:4] == (2, 1, 3, 3)
    assert engine.encode().shape[:3] == (1, 1, 4)
