# SPDX-License-Identifier: Apache-2.0
"""PSNR against OpenCV and by hand, SSIM against scipy, both against torchmetrics."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from vidplan_core.metrics.images import (
    PSNR_CEILING_DB,
    decibel,
    mean_where,
    moved_pixels,
    moving_psnr,
    psnr,
    ssim,
    ssim_map,
)
from vidplan_core.models.torchvision_shim import ensure_torchvision


def _images(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_psnr_agrees_with_opencv():
    first, second = _images(0, 4, 12, 16, 3), _images(1, 4, 12, 16, 3)
    expected = [cv2.PSNR(a, b) for a, b in zip(first, second, strict=True)]
    assert psnr(first, second).tolist() == pytest.approx(expected, abs=1e-4)


def test_psnr_is_the_same_for_bytes_and_floats():
    first, second = _images(0, 2, 3, 8, 8), _images(1, 2, 3, 8, 8)
    floats = psnr(torch.from_numpy(first) / 255.0, torch.from_numpy(second) / 255.0)
    assert torch.allclose(psnr(first, second), floats, atol=1e-4)


def test_psnr_of_a_constant_error_is_known():
    base = torch.full((1, 3, 4, 4), 0.5)
    assert psnr(base, base + 0.1).item() == pytest.approx(20.0, abs=1e-4)


def test_equal_images_score_the_ceiling():
    image = _images(0, 3, 8, 8)
    assert psnr(image, image).item() == pytest.approx(PSNR_CEILING_DB)


@pytest.mark.parametrize(
    ('first', 'second'),
    [((3, 8, 8), (3, 8, 9)), ((8, 8), (8, 8))],
    ids=['different shapes', 'no channels'],
)
def test_psnr_refuses(first, second):
    with pytest.raises(ValueError, match='image batches'):
        psnr(np.zeros(first, np.uint8), np.zeros(second, np.uint8))


def test_moving_psnr_looks_only_at_what_moved():
    before = torch.zeros(1, 3, 8, 8)
    after = before.clone()
    after[..., :4, :] = 1.0
    predicted = after.clone()
    predicted[..., :4, :] -= 0.1
    predicted[..., 4:, :] += 0.05
    assert moving_psnr(predicted, after, before).item() == pytest.approx(20.0, abs=1e-3)


def test_moving_psnr_takes_both_layouts():
    before, after, guess = (_images(seed, 2, 3, 6, 7) for seed in range(3))
    last = [np.moveaxis(image, 1, -1) for image in (guess, after, before)]
    assert torch.allclose(
        moving_psnr(guess, after, before), moving_psnr(*last, channel_dim=-1), atol=1e-4
    )


def test_moving_psnr_of_a_still_scene_is_undefined():
    image = _images(0, 1, 3, 8, 8)
    assert math.isnan(moving_psnr(image, image, image).item())


def test_ssim_bounds_and_order():
    image = torch.rand(2, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    near, far = image + 0.02, torch.rand_like(image)
    assert ssim(image, image).tolist() == pytest.approx([1.0, 1.0], abs=1e-6)
    assert (ssim(image, near) > ssim(image, far)).all()


def test_ssim_agrees_with_scipys_gaussian_filter():
    generator = np.random.default_rng(0)
    first = generator.random((32, 40))
    second = np.clip(first + 0.2 * generator.random((32, 40)), 0, 1)

    def blur(image):
        return gaussian_filter(image, 1.5, truncate=5 / 1.5)[5:-5, 5:-5]

    mean_1, mean_2 = blur(first), blur(second)
    var_1, var_2 = blur(first**2) - mean_1**2, blur(second**2) - mean_2**2
    cov = blur(first * second) - mean_1 * mean_2
    c1, c2 = 0.01**2, 0.03**2
    similarity = (2 * mean_1 * mean_2 + c1) * (2 * cov + c2)
    similarity /= (mean_1**2 + mean_2**2 + c1) * (var_1 + var_2 + c2)
    batch = [torch.from_numpy(image).expand(1, 3, 32, 40) for image in (first, second)]
    assert ssim(*batch).item() == pytest.approx(similarity.mean(), abs=1e-4)


@pytest.mark.parametrize('noise', [0.01, 0.1, 0.4])
def test_psnr_and_ssim_agree_with_torchmetrics(noise: float):
    ensure_torchvision()  # torchmetrics imports torchvision where it is installed
    image = pytest.importorskip('torchmetrics.functional.image')
    generator = torch.Generator().manual_seed(0)
    first = torch.rand(3, 3, 32, 40, generator=generator)
    second = (first + noise * torch.randn(first.shape, generator=generator)).clamp(0, 1)
    options = {'data_range': 1.0, 'reduction': 'none'}
    expected = image.peak_signal_noise_ratio(second, first, dim=(1, 2, 3), **options)
    torch.testing.assert_close(psnr(second, first), expected, atol=1e-4, rtol=0)
    _, padded = image.structural_similarity_index_measure(
        second, first, return_full_image=True, **options
    )
    expected = padded[..., 5:-5, 5:-5].mean(dim=1)  # where nothing was padded
    torch.testing.assert_close(ssim_map(second, first), expected, atol=1e-4, rtol=0)


def test_the_map_of_similarity_says_where_images_differ():
    image = torch.rand(1, 3, 32, 64, generator=torch.Generator().manual_seed(0))
    spoilt = image.clone()
    spoilt[..., 40:] = 1 - spoilt[..., 40:]
    similar = ssim_map(spoilt, image)
    assert similar.shape == (1, 22, 54)
    torch.testing.assert_close(similar[..., :30], torch.ones(1, 22, 30))  # 5 px from the border
    assert similar[..., 40:].max() < 0.1
    assert ssim(spoilt, image).item() == pytest.approx(similar.mean().item())


def test_what_moved_in_a_clip_is_where_the_square_was_and_where_it_is():
    clip = torch.zeros(3, 3, 8, 12)
    for frame in range(3):
        clip[frame, 1, 2:5, 2 * frame : 2 * frame + 3] = 0.5  # green, 2 px to the right a frame
    moved = moved_pixels(clip, clip[:1].expand_as(clip))
    expected = torch.zeros(3, 8, 12, dtype=torch.bool)
    expected[1, 2:5, :2] = expected[1, 2:5, 3:5] = True  # one column is covered in both
    expected[2, 2:5, :3] = expected[2, 2:5, 4:7] = True
    assert torch.equal(moved, expected)
    assert not moved_pixels(0.15 * clip, clip[:1] * 0.15).any()  # less than a tenth of full scale


def test_means_where_nothing_is_are_not_a_number():
    values = torch.arange(8.0).reshape(2, 2, 2)
    mask = torch.tensor([[[True, False], [False, True]], [[False, False], [False, False]]])
    mean = mean_where(values, mask)
    assert mean[0].item() == 1.5
    assert math.isnan(mean[1])
    assert decibel(torch.tensor([0.01, 0.0])).tolist() == pytest.approx([20.0, PSNR_CEILING_DB])
