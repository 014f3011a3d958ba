# SPDX-License-Identifier: Apache-2.0
"""How a value head orders the branches of a moment, by what it is shown and by phase."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vidplan_core.heads.value import ValueHead
from vidplan_sim.expert.rule import PHASES
from vidplan_training.recipes.contact.relations import LookedRows
from vidplan_training.recipes.contact.value import BRANCHES, ValueSampler

WITHIN_FRAMES = 2.0  # one decision
SETS_AT_ONCE = 8


@dataclass(frozen=True)
class Choice:
    """One set: rank correlation, whether the chosen is within a decision of the best, regret.

    regret in decisions; spread is the coefficient of variation of the value over the branches.
    """

    rank_correlation: float
    best_within_one: float
    regret: float
    spread: float
    chance: float


def choice_of(expected: np.ndarray, true: np.ndarray, value: np.ndarray) -> Choice:
    """Judge expected frames to go (branches,) by the true ones."""
    from scipy.stats import spearmanr

    least = float(true.min())
    near = true <= least + WITHIN_FRAMES
    chosen = int(expected.argmin())
    ranks = float('nan')
    if np.ptp(true) > 0.0 and np.ptp(expected) > 0.0:
        ranks = float(spearmanr(expected, true).statistic)
    spread = float(value.std() / max(value.mean(), 1e-9))
    capped = min(float(true[chosen]) - least, 30.0)
    return Choice(ranks, float(near[chosen]), capped / WITHIN_FRAMES, spread, float(near.mean()))


@torch.no_grad()
def choices(head: ValueHead, logits: Tensor, to_go: Tensor, branches: int) -> list[Choice]:
    """Choices of sets of branches in a row, by their last frames.

    Args:
        head: tells frames to go of `logits` (rows, frames, bins).
        to_go: true frames to go of the last frame, (rows,).
        branches: rows of a set.
    """
    expected = head.frames_to_go(logits)[:, -1].cpu().numpy().reshape(-1, branches)
    value = head.value_of(logits)[:, -1].cpu().numpy().reshape(-1, branches)
    true = to_go.cpu().numpy().reshape(-1, branches)
    return [choice_of(e, t, v) for e, t, v in zip(expected, true, value, strict=True)]


@torch.no_grad()
def branch_choices(head: ValueHead, samples: ValueSampler, picture: str) -> list[Choice]:
    """Choices of all sets of a sampler when the head is shown a kind of picture."""
    found: list[Choice] = []
    for chosen in torch.arange(len(samples.sets)).split(SETS_AT_ONCE):
        some = samples.branches(chosen, None, picture)
        found += choices(head, head.logits(some.inputs), some.to_go[:, -1], BRANCHES)
    return found


def means(found: list[Choice]) -> dict[str, float]:
    """Means over sets, those without an order left out of the correlation."""
    if not found:
        return {}
    names = ('rank_correlation', 'best_within_one', 'regret', 'spread', 'chance')
    return {n: float(np.nanmean([getattr(choice, n) for choice in found])) for n in names} | {
        'sets': len(found)
    }


def check_value(head: ValueHead, samples: ValueSampler, picture: str) -> dict[str, Any]:
    """How the head orders held-out branches when it is shown a kind of picture."""
    found = branch_choices(head, samples, picture)
    phases = samples.episodes.phase[samples.sets[:, 0].to(samples.episodes.device)].tolist()
    by_phase = {
        name: means([c for c, p in zip(found, phases, strict=True) if PHASES[p] == name])
        for name in PHASES[:-1]
    }
    return means(found) | {'by_phase': by_phase}


@torch.no_grad()
def order_of(head: ValueHead, rows: LookedRows) -> dict[str, float]:
    """How the head orders branch sets that were looked at."""
    looked, samples = rows.part(branches=True)
    logits = head.logits_of(looked.float(), samples.inputs)
    return means(choices(head, logits, samples.to_go[:, -1], BRANCHES))
