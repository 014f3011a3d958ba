# SPDX-License-Identifier: Apache-2.0
"""A plan is counted by part on shapes alone; the reference does the same work in full."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import pytest
import torch

from tests.fakes.tiny import tiny_ctrl_world, tiny_world_model
from vidplan_core.errors import ConfigError
from vidplan_core.planner.config import PlannerConfig
from vidplan_core.world_model.world_model import WorldModel
from vidplan_eval.speed import engine_bench
from vidplan_eval.speed.engine import Engine, EngineConfig
from vidplan_eval.speed.engine_bench import count_tflop
from vidplan_eval.speed.plan_cost import plan_cost
from vidplan_eval.speed.reference_loop import ReferenceLoop


@pytest.fixture(scope='module')
def shapes() -> WorldModel:
    with torch.device('meta'):
        model = tiny_ctrl_world(True).build()
    return model.to('meta').eval().requires_grad_(False)


def test_parts_add_up_and_follow_the_configuration(shapes: WorldModel) -> None:
    usual = plan_cost(shapes, PlannerConfig(), candidates=6)
    assert usual['total'] == pytest.approx(sum(usual.values()) - usual['total'])
    assert usual['candidates'] == pytest.approx(6 * usual['committed'], rel=1e-3)
    still = plan_cost(shapes, PlannerConfig(refine_iterations=0, committed_frames=0), 6)
    assert still['refinement'] == still['decode_refinement'] == still['committed'] == 0.0
    assert still['total'] < usual['total']
    guided = plan_cost(shapes, PlannerConfig(guidance_last=2.0, refine_iterations=0), 6)
    assert guided['candidates'] == pytest.approx(2 * usual['candidates'])
    one_view = plan_cost(shapes, PlannerConfig(score_views=('wrist',)), 6)
    for part in ('decode_candidates', 'decode_refinement'):
        assert one_view[part] == pytest.approx(usual[part] / 3, rel=0.05)
    read = plan_cost(shapes, PlannerConfig(relevancy='latents'), 6)
    assert read['decode_candidates'] == read['decode_refinement'] == 0.0
    assert read['candidates'] == usual['candidates']
    alone = plan_cost(shapes, PlannerConfig(decode_neighbours=0), 6)
    assert alone['decode_candidates'] == pytest.approx(usual['decode_candidates'] / 2, rel=0.05)


def test_a_gradient_through_the_last_step_spares_the_others(shapes: WorldModel) -> None:
    full, last = (
        plan_cost(shapes, PlannerConfig(steps=4, gradient=path), 6)['refinement']
        for path in ('full', 'last')
    )
    one = plan_cost(shapes, PlannerConfig(steps=1), 6)['refinement']
    assert one < last < full


def test_planning_does_less_than_the_reference_loop() -> None:
    torch.manual_seed(0)
    model = tiny_ctrl_world(True).build().eval().requires_grad_(False)
    engine = Engine(model, EngineConfig(candidates=2), ReferenceLoop(model))
    own = model.backbone.unet.attn_processors
    for batch in (1, 2):
        ours, theirs = (
            count_tflop(partial(work, batch))
            for work in (engine.as_planned, engine.by_reference)
        )
        assert ours < 0.7 * theirs
    assert model.backbone.unet.attn_processors.keys() == own.keys()
    kinds = {type(p).__name__ for p in model.backbone.unet.attn_processors.values()}
    assert 'OneToken' in kinds


def test_the_share_of_the_reference_is_of_as_many_candidates(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = iter(range(10_000))  # every look at the clock is one second later
    monkeypatch.setattr(engine_bench, 'process_time', lambda: next(clock))
    done: list[str] = []
    engine = SimpleNamespace(
        as_planned=lambda batch: done.append(f'{batch} planned'),
        one_by_reference=lambda: done.append('reference'),
    )
    row = engine_bench.share_of_reference(engine, 6, runs=2)
    assert row['share'] == pytest.approx(1 / 6)
    assert row['interval'] == pytest.approx((1 / 6, 1 / 6))
    assert done == ['6 planned', 'reference'] * 3


def test_the_reference_imagines_every_frame_of_every_view() -> None:
    torch.manual_seed(0)
    model = tiny_ctrl_world(True).build().eval().requires_grad_(False)
    pictures = ReferenceLoop(model).chunk(2)
    assert pictures.shape == (1, 5, 3, 3, 32, 64)
    assert pictures.isfinite().all()
    with pytest.raises(ConfigError, match='svd'):
        ReferenceLoop(tiny_world_model())
