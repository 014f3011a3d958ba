# SPDX-License-Identifier: Apache-2.0
"""Every stage is measured, on the real classes with a tiny world model."""

from __future__ import annotations

import argparse
import json

import numpy as np
import pytest

from tests.fakes.tiny_system import tiny_system
from vidplan.cli.measuring import bench
from vidplan_core.geometry.camera_files import default_layout
from vidplan_eval.speed.timing import Effort, measure, peak_memory_mb
from vidplan_eval.world import World
from vidplan_sim.cell import Cell
from vidplan_sim.scene import ObjectPlacement, Scene

STAGES = (
    'stitch',
    'encode',
    *(f'rollout_{count}x{steps}' for count in (1, 6) for steps in (1, 2, 4)),
    'score',
    'refine_step',
    'plan',
    'adapter',
    'observation_to_command',
)


class RedLobster:
    """An episode with something red, which the tiny system's scorer finds."""

    scene = Scene(seed=3, objects=(ObjectPlacement('lobster', 0.5, -0.05),))
    instruction = 'move to the lobster'


@pytest.fixture
def tiny(monkeypatch):
    # Any picture is red enough for this test: what is timed is the way, not the result.
    system = tiny_system(threshold=0.5)
    world = World(Cell(64, 128), default_layout().resized(32, 64), 0.2)
    monkeypatch.setattr(bench, 'load_system', lambda args: system)
    monkeypatch.setattr(bench, 'make_world', lambda system: world)
    monkeypatch.setattr('vidplan_eval.episode.make_episode', lambda seed: RedLobster)
    yield
    world.cell.close()


def test_the_file_has_every_stage(tiny, tmp_path, capsys):
    parser = argparse.ArgumentParser()
    bench.add_parser(parser.add_subparsers())
    path = tmp_path / 'bench.json'
    assert bench.run(parser.parse_args(['bench', '--json', str(path), '--repeats', '2'])) == 0
    result = json.loads(path.read_text())
    assert set(result) == {*STAGES, 'peak_memory_mb', 'settings'}
    for name in STAGES:
        assert 0 < result[name]['p50_s'] <= result[name]['p99_s']
    assert result['peak_memory_mb'] > 10
    assert result['settings']['threads'] >= 1
    assert 'threads on cpu' in capsys.readouterr().out


def test_warm_up_is_not_counted_and_time_is_limited():
    import torch

    calls = []
    cpu = torch.device('cpu')
    row = measure(lambda: calls.append(0), Effort(repeats=5, warm_up=2), cpu)
    assert (len(calls), row['count']) == (7, 5)
    row = measure(lambda: np.zeros(1), Effort(repeats=10**9, warm_up=0, limit_s=0.01), cpu)
    assert row['count'] < 10**9
    assert peak_memory_mb(cpu) > 10
