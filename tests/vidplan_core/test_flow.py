# SPDX-License-Identifier: Apache-2.0
"""The closed form of the EDM velocity agrees with the textbook form and has finite ends."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from vidplan_core.world_model.flow import denoised, noise_condition, velocity
from vidplan_core.world_model.sampler import SamplingConfig, integrate


def fixed_network(seed: int = 0):
    """A network whose output is a fixed non-linear function of its input."""
    weight = torch.randn(4, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)

    def network(x: Tensor, start: Tensor, target: Tensor) -> Tensor:
        return torch.tanh(x @ weight.to(x.dtype)) + start.to(x.dtype)[:, None]

    return network


@pytest.mark.parametrize('time', [0.02, 0.3, 0.5, 0.9, 0.98])
def test_velocity_equals_edm_form(time: float) -> None:
    network = fixed_network()
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    s = torch.full((3,), time, dtype=torch.float64)
    sigma = (1 - time) / time
    edm_input = x / time
    raw = network(edm_input / (sigma**2 + 1) ** 0.5, s, s)
    clean = edm_input / (sigma**2 + 1) - sigma / (sigma**2 + 1) ** 0.5 * raw
    noise = (edm_input - clean) / sigma
    torch.testing.assert_close(velocity(network, x, s, s), clean - noise, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize('time', [0.0, 0.0015, 0.5, 0.999, 1.0])
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_velocity_is_finite_at_both_ends(time: float, dtype: torch.dtype) -> None:
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(1)).to(dtype)
    result = velocity(fixed_network(), x, torch.full((3,), time), torch.ones(3))
    assert torch.isfinite(result).all()
    assert torch.isfinite(noise_condition(torch.tensor([time]))).all()


def test_training_target_makes_the_denoiser_exact() -> None:
    generator = torch.Generator().manual_seed(2)
    data, noise = torch.randn(2, 5, 4, generator=generator, dtype=torch.float64)
    time = torch.tensor([0.0, 0.1, 0.5, 0.9, 0.99], dtype=torch.float64)
    s = time[:, None]
    norm = s**2 + (1 - s) ** 2
    x = s * data + (1 - s) * noise
    raw = ((2 * s - 1) * x - norm * (data - noise)) / norm.sqrt()
    torch.testing.assert_close(denoised(x, raw, time), data, atol=1e-9, rtol=0)


@pytest.mark.parametrize('steps', [1, 2, 4, 8])
def test_sampling_a_point_mass_arrives_in_any_number_of_steps(steps: int) -> None:
    point = torch.tensor([0.3, -1.2, 0.0, 2.0])

    def exact(x: Tensor, start: Tensor, target: Tensor) -> Tensor:
        s = start[:, None]
        norm = s**2 + (1 - s) ** 2
        scaled = x * norm.sqrt()
        noise = (scaled - s * point) / (1 - s)
        return ((2 * s - 1) * scaled - norm * (point - noise)) / norm.sqrt()

    noise = torch.randn(6, 4, generator=torch.Generator().manual_seed(3))
    result, _ = integrate(exact, noise, SamplingConfig(steps))
    torch.testing.assert_close(result, point.expand(6, 4), atol=1e-5, rtol=0)
