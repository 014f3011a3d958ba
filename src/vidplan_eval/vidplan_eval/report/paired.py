# SPDX-License-Identifier: Apache-2.0
"""Two methods on the same seeds: exact tests of pairs, and the share of a headroom."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import numpy as np

from vidplan_core.metrics.intervals import Interval, exact_interval, percentile_interval

# What came true, by episode.
Outcomes = Mapping[Hashable, bool]


@dataclass(frozen=True)
class PairedTest:
    """How one method does against another.

    Attributes:
        pairs: seeds that both have.
        gains: pairs in which only the first succeeded; losses: only the second.
        p_value: of McNemar's exact two-sided test: under no difference, gains and losses are as
            often as each other. 1 without any.
        difference: of the rates, the first's minus the second's.
        interval_95: of the difference, exact given the number of pairs that differ; where none
            does, what the exact interval of 0 of `pairs` leaves open.
    """

    pairs: int
    gains: int
    losses: int
    p_value: float
    difference: float
    interval_95: Interval


def paired_test(first: Outcomes, second: Outcomes) -> PairedTest | None:
    """Compare two methods on the keys that both have; None without any."""
    common = first.keys() & second.keys()
    if not common:
        return None
    gains = sum(first[key] and not second[key] for key in common)
    losses = sum(second[key] and not first[key] for key in common)
    differing, pairs = gains + losses, len(common)
    difference = (gains - losses) / pairs
    if not differing:
        open_to = exact_interval(0, pairs)[1]
        return PairedTest(pairs, 0, 0, 1.0, 0.0, (-open_to, open_to))
    from scipy.stats import binomtest

    p_value = float(binomtest(gains, differing, 0.5).pvalue)
    low, high = ((2 * end - 1) * differing / pairs for end in exact_interval(gains, differing))
    return PairedTest(pairs, gains, losses, p_value, difference, (low, high))


@dataclass(frozen=True)
class Headroom:
    """What planning realises of what choosing could.

    Attributes:
        episodes: that all three have.
        headroom: rate of the oracle minus that of the policy.
        realised: share of it, None where there is none.
        interval_95: of the share, a bootstrap over episodes.
    """

    episodes: int
    headroom: float
    realised: float | None
    interval_95: Interval


def headroom(
    policy: Outcomes, ours: Outcomes, oracle: Outcomes, resamples: int = 4000, seed: int = 0
) -> Headroom | None:
    """Share of the way from policy to oracle that ours goes; None without common episodes."""
    common = sorted(policy.keys() & ours.keys() & oracle.keys(), key=repr)
    if not common:
        return None
    rows = np.array([[float(of[key]) for of in (policy, ours, oracle)] for key in common])
    draws = np.random.default_rng(seed).integers(0, len(rows), (resamples, len(rows)))
    means = np.concatenate([rows.mean(0)[None], rows[draws].mean(1)])
    with np.errstate(invalid='ignore', divide='ignore'):
        shares = (means[:, 1] - means[:, 0]) / (means[:, 2] - means[:, 0])
    room = float(means[0, 2] - means[0, 0])
    realised = float(shares[0]) if room > 0 else None
    return Headroom(len(rows), room, realised, percentile_interval(shares[1:]))
