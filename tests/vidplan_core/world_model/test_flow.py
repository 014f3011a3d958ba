# SPDX-License-Identifier: Apache-2.0
"""The closed form of the EDM velocity agrees with the textbook form and has finite ends."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.fakes.gaussian_flow import GaussianFlow
from vidplan_core.world_model.sampling.flow import (
    denoised,
    noise_condition,
    raw_of_guess,
    scaled_input,
    velocity,
)
from vidplan_core.world_model.sampling.sampler import SamplingConfig, integrate


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


@pytest.mark.parametrize('time', [0.0, 0.1, 0.5, 0.9, 1.0])
def test_a_guess_is_mixed_with_what_the_input_shows(time: float) -> None:
    """Data of N(guess, error^2), seen through noise of sigma: the posterior mean."""
    generator = torch.Generator().manual_seed(4)
    x, guess = torch.randn(2, 3, 4, generator=generator, dtype=torch.float64)
    start, error = torch.full((3,), time, dtype=torch.float64), 0.5
    raw = raw_of_guess(scaled_input(x, start), guess, start, error)
    sigma, shown = ((1 - time) / time, x / time) if time else (1e9, x)
    trust = error**2 / (error**2 + sigma**2)
    wanted = (1 - trust) * guess + trust * shown
    torch.testing.assert_close(denoised(x, raw, start), wanted, atol=1e-9, rtol=0)


@pytest.mark.parametrize('kind', ['flow_map', 'edm'])
@pytest.mark.parametrize('temperature', [0.0, 0.3, 1.0])
def test_temperature_narrows_samples_around_the_same_middle(kind: str, temperature: float) -> None:
    flow = GaussianFlow()
    noise = torch.randn(50, 4, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    sampling = SamplingConfig(4 if kind == 'flow_map' else 400, kind, temperature=temperature)
    data, _ = integrate(flow.network, noise, sampling)
    wanted = flow.mean + temperature * flow.std * noise
    torch.testing.assert_close(data, wanted, atol=1e-6 if kind == 'flow_map' else 0.02, rtol=0)
