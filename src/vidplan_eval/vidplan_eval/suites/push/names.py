# SPDX-License-Identifier: Apache-2.0
"""What a command line can name: methods of the suite; nothing is loaded for it."""

from __future__ import annotations

# `nothing` is the control; the expert knows the truth, and `scripted` what the first look shows.
SCRIPTED, EXPERT, NOTHING = 'scripted', 'expert', 'nothing'
RULES = (SCRIPTED, EXPERT, NOTHING)
METHODS = ('vidplan', 'no_imagination', *RULES)

# Simulated time from the first plan to the judgement, s.
LIMIT_S = 18.0
