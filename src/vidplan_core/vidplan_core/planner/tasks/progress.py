# SPDX-License-Identifier: Apache-2.0
"""Whether a task comes nearer to its end, by the value of its plans."""

from __future__ import annotations

from dataclasses import dataclass

# A value that rises by less than this is no progress.
LEAST_RISE = 0.02
# Of the best value so far that a fall to which starts anew: the thing was lost.
LOST = 0.6


@dataclass
class TaskProgress:
    """The best value so far, and how many cycles ago it was reached.

    Attributes:
        best: value in [0, 1].
        idle: cycles since it rose.
        retries: how often the arm has backed off.
    """

    best: float = 0.0
    idle: int = 0
    retries: int = 0

    def update(self, value: float) -> None:
        """Take in the value of one cycle's plan."""
        if value > self.best + LEAST_RISE or value < LOST * self.best:
            self.best, self.idle = value, 0
        else:
            self.idle += 1

    def retry(self) -> None:
        """Begin again after backing off."""
        self.best, self.idle, self.retries = 0.0, 0, self.retries + 1
