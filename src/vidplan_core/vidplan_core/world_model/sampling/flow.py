# SPDX-License-Identifier: Apache-2.0
"""EDM preconditioning along the flow from noise (t = 0) to data (t = 1), in closed form.

x_t = t x1 + (1 - t) x0 and sigma = (1 - t)/t. With n = s^2 + (1 - s)^2 and F the raw output
of the network at the input x/sqrt(n), the EDM denoiser (Karras et al. 2022, sigma_data = 1)
gives the velocity v = ((2s - 1) x - sqrt(n) F) / n, without a division by s, 1 - s or sigma:
both ends are finite in every precision (DESIGN section 4).
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

SIGMA_MAX = 80.0
SIGMA_MIN = 0.02

RawNetwork = Callable[[Tensor, Tensor, Tensor], Tensor]


def noise_condition(
    time: Tensor, sigma_min: float = SIGMA_MIN, sigma_max: float = SIGMA_MAX
) -> Tensor:
    """c_noise = ln(sigma)/4 of flow times (batch,), sigma kept within its range."""
    sigma = (1.0 - time) / time.clamp_min(1e-6)
    return sigma.clamp(sigma_min, sigma_max).log() / 4.0


def spread(time: Tensor, like: Tensor) -> Tensor:
    """Values (batch,) shaped to broadcast over `like` (batch, ...), in their own precision."""
    return time.reshape(-1, *[1] * (like.ndim - 1))


def squared_norm(time: Tensor) -> Tensor:
    """Variance n = s^2 + (1 - s)^2 of x_s for data of unit variance."""
    return time**2 + (1.0 - time) ** 2


def scaled_input(x: Tensor, start: Tensor) -> Tensor:
    """What the network sees of x (batch, ...) at flow times `start` (batch,): x / sqrt(n)."""
    return x * spread(squared_norm(start).rsqrt(), x).to(x.dtype)


def velocity_of(x: Tensor, raw: Tensor, start: Tensor) -> Tensor:
    """Velocity that the network's raw output at x means."""
    norm = squared_norm(start)
    # The factors are formed in the precision of the times: bfloat16 would round s to 1 early.
    of_x = spread((2.0 * start - 1.0) / norm, x).to(x.dtype)
    of_raw = spread(norm.rsqrt(), x).to(x.dtype)
    return of_x * x - of_raw * raw


def velocity(network: RawNetwork, x: Tensor, start: Tensor, target: Tensor) -> Tensor:
    """Flow-map velocity v_{s,t} at x (batch, ...), flow times `start`, `target` (batch,)."""
    return velocity_of(x, network(scaled_input(x, start), start, target), start)


def raw_target(x: Tensor, wanted: Tensor, start: Tensor) -> Tensor:
    """Inverse of `velocity_of`: the raw output that means the velocity `wanted` at x."""
    root = squared_norm(start).sqrt()
    of_x = spread((2.0 * start - 1.0) / root, x).to(x.dtype)
    return of_x * x - spread(root, x).to(x.dtype) * wanted


def raw_of_guess(noisy: Tensor, guess: Tensor, start: Tensor, error: float) -> Tensor:
    """The raw output of the best denoiser of data that are `error` away from a guess.

    For data of the normal distribution N(guess, error^2) the data estimate is a mean of the
    guess and of what the noisy input shows, weighted by error^2 and sigma^2; through
    `raw_target` that is s (1 - s)(1 - error^2) noisy - sqrt(n)(1 - s) guess, divided by
    error^2 s^2 + (1 - s)^2. Finite at both ends for an error above 0.

    Args:
        noisy: scaled input (batch, ...), see `scaled_input`.
        guess: of the data, shaped like `noisy`.
        start: flow times (batch,).
        error: standard deviation of data minus guess.
    """
    rest = 1.0 - start
    variance = error**2 * start**2 + rest**2
    of_noisy = spread(start * rest * (1.0 - error**2) / variance, noisy).to(noisy.dtype)
    of_guess = spread(squared_norm(start).sqrt() * rest / variance, noisy).to(noisy.dtype)
    return of_noisy * noisy - of_guess * guess.to(noisy.dtype)


def denoised(x: Tensor, raw: Tensor, start: Tensor) -> Tensor:
    """Data estimate x + (1 - s) v of the denoiser, with `raw` the network's output at x."""
    return x + spread(1.0 - start, x).to(x.dtype) * velocity_of(x, raw, start)


def moved(x: Tensor, velocity: Tensor, start: Tensor, target: Tensor) -> Tensor:
    """The flow map X_{s,t}(x) = x + (t - s) v of a velocity at x."""
    return x + spread(target - start, x).to(x.dtype) * velocity
