# SPDX-License-Identifier: Apache-2.0
"""Who leads contact episodes: the expert, free motion, or the models of a folder."""

from __future__ import annotations

EXPERT, FREE = 'expert', 'free'
OF_MODELS = ('policy', 'planning')
LEADERS = (EXPERT, FREE, *OF_MODELS)
