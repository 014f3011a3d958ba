# SPDX-License-Identifier: Apache-2.0
"""Whether a task comes nearer to its end, by the value of its plans."""

from __future__ import annotations

from dataclasses import dataclass

from vidplan_core.errors import NoProgressError

# A value that rises by less than this is no progress.
LEAST_RISE = 0.02
# Of the best value so far that a fall to which starts anew: the thing was lost.
LOST = 0.6
# Cycles in which the arm begins again after backing off.
AGAIN = 8


@dataclass
class TaskProgress:
    """The best value so far, and how many cycles ago it was reached.

    Attributes:
        best: value in [0, 1].
        idle: cycles since it rose.
        retries: how often the arm has backed off.
        after: cycles since it last did.
    """

    best: float = 0.0
    idle: int = 0
    retries: int = 0
    after: int = AGAIN

    def update(self, value: float) -> None:
        """Take in the value of one cycle's plan."""
        self.after += 1
        if value > self.best + LEAST_RISE or value < LOST * self.best:
            self.best, self.idle = value, 0
        else:
            self.idle += 1

    def must_retry(self, words: str, idle_cycles: int, retries: int) -> bool:
        """Whether the arm should back off, because even other motions bring it no nearer.

        Args:
            words: of the instruction, for the error.
            idle_cycles: without progress after which other motions are tried; twice as many are
                too many.
            retries: how often it may back off.

        Raises:
            NoProgressError: it has done so often enough.
        """
        if self.idle < 2 * idle_cycles:
            return False
        if self.retries >= retries:
            raise NoProgressError(
                f"'{words}' came no nearer for {self.idle} cycles, after {self.retries} retries; "
                'move what is in the way, or name another object'
            )
        self.retry()
        return True

    def look_again(self, idle_cycles: int, retries: int) -> bool:
        """Let the arm back off at once, for a view of what is lost; False if it did often enough.

        Arguments as for `must_retry`.
        """
        if self.retries >= retries:
            return False
        self.idle = 2 * idle_cycles
        return True

    def retry(self) -> None:
        """Begin again after backing off."""
        self.best, self.idle, self.retries, self.after = 0.0, 0, self.retries + 1, 0

    @property
    def again(self) -> bool:
        """Whether the arm has backed off lately, and begins again."""
        return self.after < AGAIN
