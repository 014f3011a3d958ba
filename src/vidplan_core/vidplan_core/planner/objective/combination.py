# SPDX-License-Identifier: Apache-2.0
"""The one law by which terms become a score, whatever terms are listed.

    score = sum_i believed(w_i prior_i, w_i evidence_i, trust(h)) - penalty(h)

The paper weights the whole bracket, `w (r_s - lambda d)`; where that is negative a smaller `w`
would *raise* the score. Here uncertainty `h` acts through functions that never rise with it: the
trust in evidence that is better than the prior (a pessimistic update), and the penalty. So more
uncertainty never raises a score, whatever the sign of its terms.

Everything is batched, differentiable and stays on its device.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

LEAST_TRUST = 0.5
# A term's weighted prior and evidence, of one shape.
Weighted = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class UncertaintyPenalty:
    """How uncertainty lowers scores.

    Attributes:
        usual: uncertainty up to which an imagination is fully trusted, in [0, 1].
        discount: k of w(h) = exp(-k e(h)), with e(h) = max(h - usual, 0).
        weight: rho, subtracted from a score per unit of e(h).
    """

    usual: float = 0.0
    discount: float = 0.0
    weight: float = 0.0

    def excess(self, uncertainty: Tensor) -> Tensor:
        """e(h), of any shape."""
        return (uncertainty - self.usual).clamp_min(0.0)

    def trust(self, uncertainty: Tensor) -> Tensor:
        """w(h) in (0, 1], of any shape; 1 up to `usual`, falling above."""
        return torch.exp(-self.discount * self.excess(uncertainty))

    def penalty(self, uncertainty: Tensor) -> Tensor:
        """What is subtracted, rho e(h), of any shape, at least 0."""
        return self.weight * self.excess(uncertainty)


def believed(prior: Tensor, evidence: Tensor, trust: Tensor) -> Tensor:
    """What to believe of a term, known `prior` to imagining and with imagined `evidence`.

    An imagination that makes things better counts as far as it is trusted; one that makes them
    worse counts in full. Never falls with `trust`, equals the evidence at a trust of 1.
    """
    change = evidence - prior
    return prior + trust * change.clamp_min(0.0) + change.clamp_max(0.0)


# Scores of terms, an uncertainty where one is known, and what it does.
Combination = Callable[[Sequence[Weighted], 'Tensor | None', UncertaintyPenalty], Tensor]


def combine(
    terms: Sequence[Weighted], uncertainty: Tensor | None, penalty: UncertaintyPenalty
) -> Tensor:
    """Scores of at least one term; without an uncertainty all evidence is taken as it is."""
    if uncertainty is None:
        return reduce(torch.add, [evidence for _, evidence in terms])
    trust = penalty.trust(uncertainty)
    parts = [believed(prior, evidence, trust) for prior, evidence in terms]
    return reduce(torch.add, parts) - penalty.penalty(uncertainty)


def entropy_weighted(
    terms: Sequence[Weighted], uncertainty: Tensor | None, penalty: UncertaintyPenalty
) -> Tensor:
    """The paper's weighting w(h) = 1 - h of what the terms add, whatever was known before.

    What they subtract counts in full: weighting that, too, would reward uncertainty.
    """
    if uncertainty is None:
        return combine(terms, None, penalty)
    kept = 1.0 - uncertainty
    parts = [kept * e.clamp_min(0.0) + e.clamp_max(0.0) for _, e in terms]
    return reduce(torch.add, parts)


def discard_doubted(
    terms: Sequence[Weighted], uncertainty: Tensor | None, penalty: UncertaintyPenalty
) -> Tensor:
    """Scores of the evidence as it is; minus infinity for what is trusted less than LEAST_TRUST.

    Where nothing is trusted, nothing is left out. For comparison with `combine`.
    """
    total = combine(terms, None, penalty)
    if uncertainty is None:
        return total
    kept = penalty.trust(uncertainty) >= LEAST_TRUST
    return torch.where(kept | ~kept.any(), total, -torch.inf)


def best_frame(scores: Tensor, softness: float = 0.0) -> tuple[Tensor, Tensor]:
    """A candidate's score and its best frame, both (candidates,), of scores (candidates, frames).

    With a `softness` above 0 (in units of score) the maximum is the soft one,
    s log(mean(exp(x / s))), through which gradients reach every frame that comes near the best.
    """
    highest, frame = scores.max(dim=1)
    if softness <= 0.0:
        return highest, frame
    frames = scores.new_tensor(float(scores.shape[1]))
    return softness * (torch.logsumexp(scores / softness, dim=1) - frames.log()), frame


# By the name that a configuration gives them.
COMBINATIONS: dict[str, Combination] = {
    'pessimistic': combine,
    'entropy_weighted': entropy_weighted,
}
