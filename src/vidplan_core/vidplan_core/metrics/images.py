# SPDX-License-Identifier: Apache-2.0
"""Image metrics: PSNR and SSIM over whole images and over the pixels that moved."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

PSNR_CEILING_DB = 100.0
"""What two equal images score; keeps means finite."""

MOVED_THRESHOLD = 0.1
"""A pixel moved when one of its channels changed by more than this share of full scale."""

Images = Tensor | np.ndarray


def unit_images(images: Images) -> Tensor:
    """Return `images` as float32 in [0, 1]; integers are read as 0..255."""
    tensor = torch.from_numpy(images) if isinstance(images, np.ndarray) else images
    if tensor.is_floating_point():
        return tensor.float()
    return tensor.float() / 255.0


def psnr(predicted: Images, actual: Images) -> Tensor:
    """Peak signal-to-noise ratio in dB of each image.

    Args:
        predicted: (..., C, H, W) or (..., H, W, C); uint8, or float in [0, 1].
        actual: the same shape.

    Returns:
        (...): one number per image, at most `PSNR_CEILING_DB`.

    Raises:
        ValueError: shapes differ, or there are fewer than three dimensions.
    """
    first, second = _pair(predicted, actual)
    error = (first - second).square().mean(dim=(-3, -2, -1))
    return decibel(error)


def moving_psnr(
    predicted: Images,
    actual: Images,
    reference: Images,
    *,
    channel_dim: int = -3,
    threshold: float = MOVED_THRESHOLD,
) -> Tensor:
    """PSNR in dB over the pixels in which `actual` differs from `reference`.

    Whole-image PSNR rewards copying a still background; this asks about the rest.

    Args:
        predicted: (..., C, H, W) or (..., H, W, C), as `channel_dim` says.
        actual: the same shape.
        reference: what to measure the movement from; broadcasts against `actual`.
        channel_dim: -3 for (..., C, H, W), -1 for (..., H, W, C).
        threshold: change that counts as movement, as a share of full scale.

    Returns:
        (...): one number per image; NaN where nothing moved.
    """
    first, second = _pair(predicted, actual)
    moved = moved_pixels(second, reference, channel_dim=channel_dim, threshold=threshold)
    error = (first - second).square().mean(dim=channel_dim)
    return decibel(mean_where(error, moved))


def moved_pixels(
    actual: Images,
    reference: Images,
    *,
    channel_dim: int = -3,
    threshold: float = MOVED_THRESHOLD,
) -> Tensor:
    """Pixels, bool (..., H, W), in which a channel of `actual` differs from `reference`.

    Arguments as for `moving_psnr`.
    """
    change = (unit_images(actual) - unit_images(reference)).abs()
    return (change > threshold).any(dim=channel_dim)


def mean_where(values: Tensor, mask: Tensor) -> Tensor:
    """Mean (...,) of maps (..., H, W) over the pixels of a mask; NaN where it is empty."""
    pixels = mask.sum(dim=(-2, -1))
    mean = (values * mask).sum(dim=(-2, -1)) / pixels.clamp(min=1)
    return torch.where(pixels > 0, mean, torch.nan)


def ssim(predicted: Images, actual: Images, *, window: int = 11, sigma: float = 1.5) -> Tensor:
    """Structural similarity (Wang et al. 2004) of each image, Gaussian window, no padding.

    Args:
        predicted: (B, C, H, W), H and W at least `window`.
        actual: the same shape.
        window: side of the Gaussian window in pixels.
        sigma: its standard deviation in pixels.

    Returns:
        (B,): 1 for equal images.
    """
    return ssim_map(predicted, actual, window=window, sigma=sigma).mean(dim=(-2, -1))


def ssim_map(predicted: Images, actual: Images, *, window: int = 11, sigma: float = 1.5) -> Tensor:
    """Structural similarity around each pixel, mean over channels.

    Arguments as for `ssim`.

    Returns:
        (B, H - window + 1, W - window + 1): pixels whose window lies inside the image.
    """
    first, second = _pair(predicted, actual)
    if first.ndim != 4 or min(first.shape[-2:]) < window:
        raise ValueError(f'ssim needs (B, C, H, W) of at least {window} px, got {first.shape}')
    kernel = _gaussian(window, sigma, first.shape[1]).to(first.device)

    def blur(image: Tensor) -> Tensor:
        return functional.conv2d(image, kernel, groups=image.shape[1])

    mean_1, mean_2 = blur(first), blur(second)
    var_1 = blur(first.square()) - mean_1.square()
    var_2 = blur(second.square()) - mean_2.square()
    covariance = blur(first * second) - mean_1 * mean_2
    c1, c2 = 0.01**2, 0.03**2
    numerator = (2 * mean_1 * mean_2 + c1) * (2 * covariance + c2)
    denominator = (mean_1.square() + mean_2.square() + c1) * (var_1 + var_2 + c2)
    return (numerator / denominator).mean(dim=1)


def decibel(mean_square: Tensor) -> Tensor:
    """PSNR in dB of mean squared errors (...,) of images in [0, 1], at most the ceiling."""
    floor = 10.0 ** (-PSNR_CEILING_DB / 10.0)
    return -10.0 * torch.log10(mean_square.clamp(min=floor))


def _pair(predicted: Images, actual: Images) -> tuple[Tensor, Tensor]:
    first, second = unit_images(predicted), unit_images(actual)
    if first.shape != second.shape or first.ndim < 3:
        raise ValueError(
            f'need two image batches of one shape, got {tuple(first.shape)}'
            f' and {tuple(second.shape)}'
        )
    return first, second


def _gaussian(window: int, sigma: float, channels: int) -> Tensor:
    offsets = torch.arange(window, dtype=torch.float32) - (window - 1) / 2
    line = torch.exp(-offsets.square() / (2 * sigma**2))
    line = line / line.sum()
    return torch.outer(line, line).expand(channels, 1, window, window).contiguous()
