# SPDX-License-Identifier: Apache-2.0
"""Colours that several objects share, red, green and blue in 0 .. 1."""

from __future__ import annotations

WHITE, BLACK, SILVER = (0.95, 0.95, 0.93), (0.04, 0.04, 0.05), (0.7, 0.71, 0.73)
ORANGE, LEAF, BROWN = (1.0, 0.42, 0.03), (0.1, 0.5, 0.12), (0.3, 0.18, 0.08)
