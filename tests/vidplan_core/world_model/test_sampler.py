# SPDX-License-Identifier: Apache-2.0
"""The many-step sampler is diffusers' own; guidance, gradients and grids are what they say."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.fakes.tiny import straight_chunk, tiny_world_model
from vidplan_core.errors import ConfigError
from vidplan_core.world_model.sampling.flow import noise_condition
from vidplan_core.world_model.sampling.sampler import (
    CTRL_WORLD_SAMPLING,
    FLOW_MAP_SAMPLING,
    SamplingConfig,
    equal_grid,
    guided_network,
    integrate,
    karras_grid,
)
from vidplan_core.world_model.world_model import Context, WorldModel

SIGMAS = (0.002, 700.0)  # Stable Video Diffusion's


def raw_output(scaled: Tensor, level: Tensor, seed: int) -> Tensor:
    """A non-linear network of its scaled input (batch, frames, 4) and c_noise (batch,)."""
    generator = torch.Generator().manual_seed(seed)
    first, second = (torch.randn(4, 4, generator=generator) for _ in range(2))
    hidden = torch.tanh(scaled @ first + level[:, None, None]) + torch.sin(3 * scaled)
    return hidden @ second * 0.5


def toy_network(seed: int):
    def network(scaled: Tensor, start: Tensor, target: Tensor) -> Tensor:
        assert torch.equal(start, target)  # the many-step sampler asks for the denoiser
        return raw_output(scaled, noise_condition(start, *SIGMAS), seed)

    return network


def svd_scheduler(steps: int):
    from diffusers import EulerDiscreteScheduler

    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule='scaled_linear',
        interpolation_type='linear',
        prediction_type='v_prediction',
        sigma_max=700.0,
        sigma_min=0.002,
        steps_offset=1,
        timestep_spacing='leading',
        timestep_type='continuous',
        use_karras_sigmas=True,
    )
    scheduler.set_timesteps(steps)
    return scheduler


def by_diffusers(noise: Tensor, steps: int, guidance: Tensor) -> Tensor:
    """Sample with the scheduler and the guidance of Stable Video Diffusion's pipeline."""
    scheduler = svd_scheduler(steps)
    x = noise * scheduler.init_noise_sigma
    for timestep in scheduler.timesteps:
        scaled = scheduler.scale_model_input(x, timestep)
        level = timestep.expand(len(x))
        without, given = raw_output(scaled, level, 1), raw_output(scaled, level, 0)
        raw = without + guidance[None, :, None] * (given - without)
        x = scheduler.step(raw, timestep, x).prev_sample
    return x


@pytest.mark.parametrize(
    ('steps', 'tolerance'),
    # With few steps diffusers' own float32 state, 700 in size, rounds by more than 1e-5.
    [(1, 5e-4), (2, 5e-4), (10, 1e-5), (50, 1e-5)],
)
def test_edm_sampler_equals_diffusers(steps: int, tolerance: float) -> None:
    noise = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(2))
    guidance = torch.linspace(1.0, 2.0, 5)
    sampling = SamplingConfig(steps, 'edm', 1.0, 2.0)
    network = guided_network(toy_network(0), toy_network(1), sampling.guidance(5))
    data, last = integrate(network, noise, sampling, sampling.grid(*SIGMAS))
    wanted = by_diffusers(noise, steps, guidance)
    assert wanted.abs().max() > 0.5
    torch.testing.assert_close(data, wanted, atol=tolerance, rtol=tolerance)
    assert float(last.start[0]) == pytest.approx(1 / (1 + (700 if steps == 1 else 0.002)))


def test_one_step_is_the_denoiser_at_the_highest_noise() -> None:
    noise = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(2))
    sampling = SamplingConfig(1, 'edm')
    data, _ = integrate(toy_network(0), noise, sampling, sampling.grid(*SIGMAS))
    sigma = SIGMAS[1]
    raw = raw_output(noise, torch.full((3,), sigma).log() / 4, 0)
    x = noise.double() * (sigma**2 + 1) ** 0.5
    wanted = x / (sigma**2 + 1) - sigma / (sigma**2 + 1) ** 0.5 * raw.double()
    torch.testing.assert_close(data.double(), wanted, atol=1e-5, rtol=1e-5)


def test_karras_grid_equals_diffusers() -> None:
    grid = karras_grid(50, *SIGMAS)
    assert float(grid[-1]) == 1.0
    sigma = (1 - grid) / grid
    torch.testing.assert_close(sigma.float(), svd_scheduler(50).sigmas, rtol=1e-5, atol=1e-6)


def test_the_preset_is_the_released_rollout() -> None:
    preset = CTRL_WORLD_SAMPLING
    assert (preset.steps, preset.kind) == (50, 'edm')
    assert preset.guidance(5).tolist() == [1.0, 1.25, 1.5, 1.75, 2.0]


@pytest.mark.parametrize('steps', [1, 2, 3, 50])
def test_flow_map_jumps_over_the_whole_flow(steps: int) -> None:
    seen: list[tuple[float, float]] = []

    def network(scaled: Tensor, start: Tensor, target: Tensor) -> Tensor:
        seen.append((float(start[0]), float(target[0])))
        return -scaled

    _, last = integrate(network, torch.ones(2, 3), SamplingConfig(steps))
    grid = equal_grid(steps).tolist()
    assert [s for s, _ in seen] == pytest.approx(grid[:-1])
    assert [t for _, t in seen] == pytest.approx(grid[1:])
    assert seen[0][0] == 0.0
    assert seen[-1][1] == 1.0
    assert (float(last.start[0]), float(last.target[0])) == seen[-1]


def published_flow_map(noise: Tensor, steps: int, guidance: Tensor) -> Tensor:
    """Jumps written out in two stages, denoiser then velocity, at the published times."""
    times = torch.linspace(0, 1, steps + 1, dtype=torch.float64).clamp(1 / 701, 1 / 1.02)
    x = noise.double()
    for now, then in zip(times[:-1], times[1:]):
        jump = (1 if steps == 1 else then) - now
        sigma = (1 - now) / now
        scaled, level = (x / now) / (sigma**2 + 1).sqrt(), sigma.log().expand(len(x)) / 4
        without, given = (raw_output(scaled.float(), level.float(), k) for k in (1, 0))
        raw = without + guidance[None, :, None] * (given - without)
        data = x / now / (sigma**2 + 1) - sigma / (sigma**2 + 1).sqrt() * raw.double()
        x = x + jump * (data - (x / now - data) / sigma)
    return x


@pytest.mark.parametrize('steps', [1, 2, 4])
def test_the_clamped_grid_is_the_published_flow_map(steps: int) -> None:
    noise = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(2))
    sampling = replace(FLOW_MAP_SAMPLING, steps=steps)
    levels = 0.02, 700.0
    asked: list[tuple[float, float]] = []

    def network(seed: int):
        def raw(scaled: Tensor, start: Tensor, target: Tensor) -> Tensor:
            asked.append((float(start[0]), float(target[0])))
            return raw_output(scaled, noise_condition(start, *levels), seed)

        return raw

    guidance = sampling.guidance(5)
    guided = guided_network(network(0), network(1), guidance)
    data, _ = integrate(guided, noise, sampling, sampling.grid(*levels))
    wanted = published_flow_map(noise, steps, guidance)
    torch.testing.assert_close(data.double(), wanted, atol=1e-5, rtol=1e-5)
    assert asked[0][0] == pytest.approx(1 / 701)
    assert asked[-1][1] == pytest.approx(1.0 if steps == 1 else 1 / 1.02)


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        ({'steps': 0}, 'at least 1'),
        ({'kind': 'ddim'}, 'flow_map'),
        ({'gradient': 'none'}, 'full'),
        ({'guidance_last': float('nan')}, 'guidance_last'),
    ],
    ids=['steps', 'kind', 'gradient', 'guidance'],
)
def test_wrong_settings_are_named(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SamplingConfig(**values)  # type: ignore[arg-type]


# On the world model


@pytest.fixture(scope='module')
def model() -> WorldModel:
    model = tiny_world_model()
    torch.nn.init.normal_(model.backbone.target_embedding.linear_2.weight, std=0.05)
    return model


@pytest.fixture(scope='module')
def context(model: WorldModel) -> Context:
    generator = torch.Generator().manual_seed(0)
    shape = (1, 2, 96, 64, 3)
    images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    return model.context(images, straight_chunk(torch.zeros(1, 3), frames=2))


MOTIONS = torch.tensor([[0.1, 0.0, 0.0], [0.0, -0.1, 0.0]])


def test_candidates_are_sampled_in_one_batch_as_alone(model: WorldModel, context: Context) -> None:
    chunk, sampling = straight_chunk(MOTIONS), SamplingConfig(3, 'edm', 1.0, 2.0)
    together = model.rollout(context, chunk, seed=1, sampling=sampling)
    alone = model.rollout(context, chunk.select(1), seed=1, sampling=sampling)
    torch.testing.assert_close(together[1:], alone, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(together[0], together[1])


def test_guidance_of_one_makes_no_unconditional_pass(model: WorldModel, context: Context) -> None:
    chunk = straight_chunk(MOTIONS)
    calls: list[bool] = []
    handle = model.backbone.register_forward_hook(
        lambda _, inputs, __: calls.append(inputs[1].keep is None)
    )
    plain = model.rollout(context, chunk, 2)
    assert calls == [True, True]
    guided = model.rollout(context, chunk, sampling=SamplingConfig(2, guidance_last=2.0))
    assert sorted(calls[2:]) == [False, False, True, True]
    handle.remove()
    assert not torch.allclose(plain[:, -1], guided[:, -1], atol=1e-3)


def motion_gradient(model: WorldModel, context: Context, sampling: SamplingConfig) -> Tensor:
    motions = MOTIONS.clone().requires_grad_()
    latents = model.rollout(context, straight_chunk(motions), sampling=sampling)
    (gradient,) = torch.autograd.grad(latents.square().mean(), motions)
    return gradient


@pytest.mark.parametrize('gradient', ['full', 'last'])
@pytest.mark.parametrize('kind', ['flow_map', 'edm'])
def test_checkpointing_changes_no_gradient(
    model: WorldModel, context: Context, kind: str, gradient: str
) -> None:
    sampling = SamplingConfig(3, kind, 1.0, 1.5, gradient)
    plain = motion_gradient(model, context, sampling)
    saved = motion_gradient(
        model, context, SamplingConfig(3, kind, 1.0, 1.5, gradient, checkpointing=True)
    )
    assert plain.abs().max() > 0
    torch.testing.assert_close(saved, plain, rtol=1e-5, atol=1e-9)


def test_the_last_steps_gradient_treats_its_input_as_constant(
    model: WorldModel, context: Context
) -> None:
    full = motion_gradient(model, context, SamplingConfig(2))
    last = motion_gradient(model, context, SamplingConfig(2, gradient='last'))
    assert not torch.allclose(full, last, rtol=1e-2)
    motions = MOTIONS.clone().requires_grad_()
    chunk = straight_chunk(motions)
    seen = model.imagine(context, straight_chunk(MOTIONS), SamplingConfig(2))
    network = model.network(model.imagine(context, chunk, SamplingConfig(1)).condition)
    raw = network(seen.last.noisy, seen.last.start, seen.last.target)
    # At s = 1/2 the velocity is -sqrt(2) F and the last step is half of the flow.
    data = seen.last.noisy / 2**0.5 - raw * 2**0.5 / 2
    latents = model.from_data(data, context.latents[:, -1:])
    (by_hand,) = torch.autograd.grad(latents.square().mean(), motions)
    torch.testing.assert_close(last, by_hand, rtol=1e-4, atol=1e-8)
    one = motion_gradient(model, context, SamplingConfig(1, gradient='last'))
    torch.testing.assert_close(one, motion_gradient(model, context, SamplingConfig(1)))


def test_the_last_evaluation_is_what_the_network_saw(model: WorldModel, context: Context) -> None:
    chunk = straight_chunk(MOTIONS)
    one = model.imagine(context, chunk, SamplingConfig(1), seed=4)
    torch.testing.assert_close(one.last.noisy, model.noise(4, 5).expand(2, -1, -1, -1, -1))
    assert one.last.start.tolist() == [0.0, 0.0]
    assert one.last.target.tolist() == [1.0, 1.0]
    assert torch.equal(one.latents, model.rollout(context, chunk, 1, seed=4))
    # One jump from noise is minus the raw output: v = -x - F at s = 0.
    raw = model.network(one.condition)(one.last.noisy, one.last.start, one.last.target)
    torch.testing.assert_close(
        model.to_data(one.latents, context.latents[:, -1:]), -raw, atol=1e-4, rtol=1e-4
    )


def test_a_half_precision_state_is_integrated_in_float32() -> None:
    noise = torch.randn(2, 4, generator=torch.Generator().manual_seed(0)).bfloat16()
    data, last = integrate(lambda x, s, t: x * 0.5, noise, SamplingConfig(50, 'edm'))
    wide, _ = integrate(lambda x, s, t: x * 0.5, noise.float(), SamplingConfig(50, 'edm'))
    assert data.dtype == last.noisy.dtype == torch.bfloat16
    torch.testing.assert_close(data.float(), wide, atol=0.02, rtol=0.02)
