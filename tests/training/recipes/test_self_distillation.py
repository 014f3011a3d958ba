# SPDX-License-Identifier: Apache-2.0
"""Targets of self-distillation against a flow that is known exactly."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.fakes.gaussian_flow import GaussianFlow
from vidplan_core.world_model.sampling.flow import spread, velocity
from vidplan_core.world_model.sampling.sampler import SamplingConfig, integrate
from vidplan_training.engine.loss_weight import LossWeight
from vidplan_training.recipes.flow_map.self_distillation import (
    Jump,
    lsd_target,
    psd_target,
    random_jumps,
)

FLOW = GaussianFlow()


def exact_jumps(midpoint: bool = False) -> tuple[Tensor, Jump]:
    torch.manual_seed(0)
    jump = random_jumps(64, midpoint)
    s, t, h = jump.start.double(), jump.target.double(), jump.rest.double()
    return torch.randn(64, 3, dtype=torch.float64), Jump(s, h * s + (1 - h) * t, t, h)


@given(
    times=st.lists(st.floats(0, 1), min_size=2, max_size=2).map(sorted),
    rest=st.floats(0, 1),
    x=st.floats(-3, 3),
)
@settings(deadline=None, max_examples=50)
def test_the_exact_flow_is_a_semigroup(times: list[float], rest: float, x: float) -> None:
    s, t = (torch.tensor([v], dtype=torch.float64) for v in times)
    u = rest * s + (1 - rest) * t
    here = torch.tensor([[x]], dtype=torch.float64)
    twice = FLOW.jump(FLOW.jump(here, s, u), u, t)
    torch.testing.assert_close(twice, FLOW.jump(here, s, t), atol=1e-12, rtol=0)


@pytest.mark.parametrize('steps', [1, 2, 4, 7, 50])
def test_an_exact_flow_map_arrives_in_any_number_of_steps(steps: int) -> None:
    noise = torch.randn(8, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    data, _ = integrate(FLOW.network, noise, SamplingConfig(steps))
    torch.testing.assert_close(data, FLOW.mean + FLOW.std * noise, atol=1e-9, rtol=0)


@pytest.mark.parametrize('midpoint', [False, True], ids=['uniform', 'midpoint'])
def test_psd_target_is_the_whole_jump(midpoint: bool) -> None:
    x, jump = exact_jumps(midpoint)
    wanted = FLOW.velocity(x, jump.start, jump.target)
    torch.testing.assert_close(psd_target(FLOW.velocity, x, jump), wanted, atol=1e-9, rtol=1e-9)


def test_psd_weights_swapped_would_be_wrong() -> None:
    x, jump = exact_jumps()
    first = FLOW.velocity(x, jump.start, jump.middle)
    between = FLOW.jump(x, jump.start, jump.middle)
    second = FLOW.velocity(between, jump.middle, jump.target)
    rest = spread(jump.rest, x)
    swapped = rest * first + (1 - rest) * second
    assert (swapped - psd_target(FLOW.velocity, x, jump)).abs().max() > 0.1


def test_lsd_target_is_the_whole_jump() -> None:
    x, jump = exact_jumps()
    wanted = FLOW.velocity(x, jump.start, jump.target)
    torch.testing.assert_close(lsd_target(FLOW.velocity, x, jump), wanted, atol=1e-8, rtol=1e-8)


def test_a_denoiser_taken_for_a_flow_map_is_pulled_towards_it() -> None:
    x, jump = exact_jumps()

    def short(x: Tensor, start: Tensor, target: Tensor) -> Tensor:
        return FLOW.slope(x, start)  # whatever the target

    wanted = FLOW.velocity(x, jump.start, jump.target)
    before = (short(x, jump.start, jump.target) - wanted).square().mean()
    assert (psd_target(short, x, jump) - wanted).square().mean() < 0.7 * before


def test_jumps_fill_the_triangle() -> None:
    torch.manual_seed(0)
    jump = random_jumps(4000, midpoint=False, one_step=0.25)
    assert (jump.start <= jump.middle).all()
    assert (jump.middle <= jump.target).all()
    whole = (jump.start == 0) & (jump.target == 1)
    assert float(whole.float().mean()) == pytest.approx(0.25, abs=0.03)
    rest = (jump.target - jump.start)[~whole]
    assert float(rest.mean()) == pytest.approx(1 / 3, abs=0.02)  # of a uniform triangle
    assert float(jump.rest.mean()) == pytest.approx(0.5, abs=0.02)
    middle = random_jumps(10, midpoint=True)
    torch.testing.assert_close(middle.middle, (middle.start + middle.target) / 2)


# A whole distillation, small


class Toy(nn.Module):
    """A raw network of two numbers, with flow times as further inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(4, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 2)
        )

    def forward(self, scaled: Tensor, start: Tensor, target: Tensor) -> Tensor:
        return self.layers(torch.cat([scaled, start[:, None], (target - start)[:, None]], 1))


def one_step_error(toy: Toy) -> float:
    noise = torch.randn(512, 2, generator=torch.Generator().manual_seed(9))
    with torch.no_grad():
        data, _ = integrate(toy, noise, SamplingConfig(1))
    return float((data - FLOW.mean - FLOW.std * noise).square().mean())


def distil(toy: Toy, target, iterations: int, share: float) -> None:
    optimizer = torch.optim.Adam(toy.parameters(), 3e-3)

    def field(x: Tensor, start: Tensor, aim: Tensor) -> Tensor:
        return velocity(toy, x, start, aim)

    rows, cut = 192, round(192 * (1 - share))
    for _ in range(iterations):
        data, noise = FLOW.clips(rows, 2)
        jump, diagonal = random_jumps(rows - cut, midpoint=False), torch.rand(cut)
        start, aim = torch.cat([diagonal, jump.start]), torch.cat([diagonal, jump.target])
        x = torch.lerp(noise, data, spread(start, data))
        wanted = torch.cat([(data - noise)[:cut], target(field, x[cut:], jump)])
        loss = (field(x, start, aim) - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@pytest.mark.parametrize('target', [psd_target, lsd_target], ids=['psd', 'lsd'])
def test_distillation_makes_one_step_exact(target) -> None:
    torch.manual_seed(0)
    toy = Toy()
    distil(toy, target, 150, share=0.0)
    teacher = one_step_error(toy)
    # One step of a denoiser gives the mean of the data, far from the sample.
    assert teacher > 0.5 * FLOW.std**2
    distil(toy, target, 350, share=1 / 3)
    assert one_step_error(toy) < 0.15 * teacher


def test_learned_weight_finds_the_size_of_the_loss() -> None:
    torch.manual_seed(0)
    weight = LossWeight()
    optimizer = torch.optim.Adam(weight.parameters(), 1e-2)
    start = torch.rand(256)
    target = start + (1 - start) * torch.rand(256)
    sizes = 0.1 + 2 * start * target
    torch.testing.assert_close(weight.balanced(sizes, start, target), sizes)  # no weight yet
    for _ in range(250):
        loss = weight.balanced(sizes, start, target).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.testing.assert_close(weight(start, target).exp(), sizes, rtol=0.25, atol=0.05)
