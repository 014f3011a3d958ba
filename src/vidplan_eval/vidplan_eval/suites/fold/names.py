# SPDX-License-Identifier: Apache-2.0
"""What a command line can name: methods of the suite; nothing is loaded for it."""

from __future__ import annotations

# `nothing` is the control; the expert knows the truth.
EXPERT, NOTHING = 'expert', 'nothing'
RULES = (EXPERT, NOTHING)
METHODS = ('vidplan', 'policy', *RULES)

INSTRUCTION = 'fold the towel'
# Simulated time from the first plan to the judgement, s.
LIMIT_S = 20.0
