# SPDX-License-Identifier: Apache-2.0
"""Decisions stay inside the collection box."""

from __future__ import annotations

from dataclasses import replace

from vidplan_sim.expert.decision import Decision
from vidplan_sim.expert.rule import View
from vidplan_training.collect.behaviours import keep_inside


def kept_inside(view: View, decision: Decision) -> Decision:
    """A decision whose motion stays inside the collection box."""
    return replace(decision, displacement=keep_inside(view.tool, decision.displacement))
