# SPDX-License-Identifier: Apache-2.0
"""What the paper reports, to stand beside what is measured here."""

from __future__ import annotations

# Table 1, trials that succeeded of 20 a task: the policy alone (pi0.5), and VidPlan on top of it.
# The paper gives percentages of 20 trials; the carrot and the towel are in distribution.
TRIALS = 20
TABLE_1 = {
    'tape': (4, 15),
    'fish': (5, 17),
    'pea': (1, 17),
    'carrot': (20, 20),
    'towel': (20, 20),
}

# Figure 9 and its text (appendix A.2): rate at which pi0.5 follows 'put the measuring tape in the
# bowl', by the number of objects beside the tape. The paper gives no number of trials.
FIGURE_9 = {0: 1.0, 1: 0.4, 2: 0.2}
