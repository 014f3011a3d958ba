# SPDX-License-Identifier: Apache-2.0
"""The embedding of the time that a step of a flow map aims at."""

from __future__ import annotations

from typing import Any

from torch import nn


def make_no_op(embedding: Any) -> None:
    """Let diffusers' embedding of the target time add nothing, and yet learn.

    Only its last layer becomes zero: were the first one too, neither would ever get a gradient.
    """
    nn.init.zeros_(embedding.linear_2.weight)
    nn.init.zeros_(embedding.linear_2.bias)
