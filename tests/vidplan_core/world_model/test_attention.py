# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
from diffusers.models.attention_processor import Attention, AttnProcessor2_0

from vidplan_core.world_model.backbones.attention import SelfAttention


@pytest.mark.parametrize('residual', [True, False])
@pytest.mark.parametrize(('dtype', 'close'), [(torch.float32, 1e-6), (torch.bfloat16, 2e-2)])
def test_is_diffusers_attention(residual: bool, dtype: torch.dtype, close: float) -> None:
    """The oracle is diffusers' processor, in full precision; bfloat16 rounds projections only."""
    torch.manual_seed(0)
    block = Attention(
        32, heads=2, dim_head=16, norm_num_groups=8, bias=True, residual_connection=residual,
        rescale_output_factor=2.0,
    )  # fmt: skip
    picture = torch.randn(3, 32, 5, 4)
    block.set_processor(AttnProcessor2_0())
    expected = block(picture)
    block.set_processor(SelfAttention())
    with torch.autocast('cpu', dtype, enabled=dtype != torch.float32):
        found = block(picture)
    torch.testing.assert_close(found.float(), expected, atol=close, rtol=0)


def test_gradients_reach_the_picture() -> None:
    torch.manual_seed(0)
    block = Attention(16, heads=2, dim_head=8, norm_num_groups=4, residual_connection=True)
    block.set_processor(SelfAttention())
    picture = torch.randn(1, 16, 2, 3, requires_grad=True)
    (gradient,) = torch.autograd.grad(block(picture).square().sum(), picture)
    assert gradient.isfinite().all()
    assert gradient.abs().sum() > 0
