# SPDX-License-Identifier: Apache-2.0
"""What a command line can name: tasks, bases and methods; nothing is loaded for it."""

from __future__ import annotations

from vidplan_core.planner.config import METHODS as COMPOSITIONS
from vidplan_core.planner.config import SERVER

# The paper's four bowl tasks and the kinds of their targets.
TASKS = {'tape': 'measuring tape', 'fish': 'fish', 'pea': 'pea', 'carrot': 'carrot'}

# Policies to plan on top of: one that reads the words only, one that is given places, too, and one
# of a policy server.
BASES = ('words', 'grounded', SERVER)

# Methods that only an evaluation can have: two of them know the truth.
SCRIPTED, ORACLE, EXPERT = 'scripted', 'oracle_of_n', 'expert'
METHODS = (*COMPOSITIONS, SCRIPTED, ORACLE, EXPERT)
WITHOUT_BASE = (SCRIPTED, EXPERT)

# Simulated time from the first plan to the judgement, s.
LIMIT_S = 18.0

# Whose candidates the oracle chooses from.
ORACLE_OF = 'no_refine'


def composition_of(method: str) -> str:
    """The planner's composition that a method of an evaluation is made with."""
    return ORACLE_OF if method in (EXPERT, SCRIPTED, ORACLE) else method
