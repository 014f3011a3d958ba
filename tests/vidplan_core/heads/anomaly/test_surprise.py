# SPDX-License-Identifier: Apache-2.0
"""A view is surprising as a whole, or in a part."""

from __future__ import annotations

import torch

from vidplan_core.heads.anomaly.surprise import view_surprise

VIEWS, ROWS, COLUMNS = 3, 12, 20


def test_a_part_stands_out_in_its_own_view_only() -> None:
    nats = torch.ones(1, 4, VIEWS * ROWS, COLUMNS)
    nats[..., ROWS + 2 : ROWS + 8, 5:11] = 7.0
    whole, part = view_surprise(nats, VIEWS)
    expected = 1.0 + 6.0 * 36 / (ROWS * COLUMNS)
    torch.testing.assert_close(whole, torch.tensor([[1.0, expected, 1.0]]))
    torch.testing.assert_close(part, torch.tensor([[1.0, 7.0, 1.0]]))
