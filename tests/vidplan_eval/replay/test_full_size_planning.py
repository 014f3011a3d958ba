# SPDX-License-Identifier: Apache-2.0
"""Planning with Ctrl-World's configuration, shrunken: the same planner, another model."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.fakes.synthetic_bag import write_bag
from tests.fakes.tiny import tiny_ctrl_world
from tests.fakes.tiny_system import CAMERAS, RedScorer
from vidplan_core.data.history import EPISODE_START
from vidplan_core.data.observation import Observation
from vidplan_core.geometry.camera import load_cameras
from vidplan_core.geometry.camera_files import default_layout
from vidplan_core.planner.config import PlannerConfig
from vidplan_core.planner.system import PlanningSystem
from vidplan_eval.bags.observations import read_observations
from vidplan_eval.bags.rosbag import Bag
from vidplan_eval.replay.fidelity import FidelityMeter
from vidplan_eval.replay.windows import windows

PERIOD_S = 0.2


@pytest.fixture(scope='module')
def system() -> PlanningSystem:
    torch.manual_seed(0)
    model = tiny_ctrl_world(True).build().eval().requires_grad_(False)
    cameras = load_cameras(CAMERAS, model.config.views)
    config = PlannerConfig(refine_iterations=1)
    return PlanningSystem(model, RedScorer(0.5), cameras, config, torch.device('cpu'))


@pytest.fixture(scope='module')
def observations(tmp_path_factory: pytest.TempPathFactory) -> list[Observation]:
    with Bag(write_bag(tmp_path_factory.mktemp('bags') / 'bag')) as bag:
        return read_observations(bag, default_layout().resized(32, 64), PERIOD_S)


def test_windows_reach_as_far_back_as_the_model_looks(observations: list[Observation]) -> None:
    ages = (EPISODE_START, 4, 2, 0)
    found = windows(observations, 4, 5, PERIOD_S, ages)
    assert len(found) == len(observations) - 4
    for window in found:
        expected = [0, max(window.index - 4, 0), max(window.index - 2, 0), window.index]
        assert [observations.index(seen) for seen in window.past] == expected


def test_a_plan_refines_through_the_model_and_tells_it_the_instruction(
    system: PlanningSystem, observations: list[Observation], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, seen = system.world_model, []
    imagine = model.imagine
    monkeypatch.setattr(model, 'imagine', lambda *a, **k: seen.append(a[0]) or imagine(*a, **k))
    sizes = (model.config.history_frames, model.config.frames, PERIOD_S)
    window = windows(observations, *sizes, model.config.history_ages)[1]
    words = 'move to the red carrot'
    plan = system.plan(system.new_task(words), window.past)
    assert np.isfinite(plan.scores).all()
    assert plan.refinement
    assert plan.chunk.position.shape == (1, 5, 3)
    assert plan.predicted.shape == (5, 96, 64, 3)
    assert seen
    text = model.text_encoder([words])
    assert all(torch.equal(context.text[:1], text) for context in seen)


def test_fidelity_is_measured_over_sparse_pasts(
    system: PlanningSystem, observations: list[Observation]
) -> None:
    model = system.world_model.config
    sizes = (model.history_frames, model.frames, PERIOD_S)
    found = windows(observations, *sizes, model.history_ages)[:2]
    meter = FidelityMeter(system.world_model, system.device, system.config.sampling, 0)
    views = meter.imagine(found)
    assert views.shape == (2, 5, 3, 3, 32, 64)
    assert views.isfinite().all()
