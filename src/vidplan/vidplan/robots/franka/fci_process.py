# SPDX-License-Identifier: Apache-2.0
"""The process at the arm, as whoever talks to it sees it."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from functools import partial

from vidplan.parameters.fci import FciParameters
from vidplan.robots.franka.fci_arm import PylibfrankaArm
from vidplan.robots.franka.fci_link import FciLink, FciReport
from vidplan.robots.franka.fci_loop import serve
from vidplan_core.errors import ConfigError

# Longest wait for the first word of the arm, and for the arm to rest at the end, s.
_FIRST_S, REST_S = 60.0, 6.0


class FciProcess:
    """Starts it, and ends it with the arm at rest.

    Attributes:
        link: to it.
        first: what it said first.
    """

    def __init__(
        self, p: FciParameters, clock: Callable[[], float] | None = time.time
    ) -> None:
        """Start it, and wait for its first word.

        Args:
            p: of the arm.
            clock: of reports and trajectories, s; None: the arm's own.

        Raises:
            ConfigError: the arm does not answer.
        """
        ours, theirs = FciLink.pair()
        self.link = FciLink(ours)
        connect = partial(
            PylibfrankaArm, p.host, p.collision_torque_nm, p.collision_force_n,
            enforce_realtime=p.enforce_realtime,
        )  # fmt: skip
        limits, report_s = p.model.hard_limits, 1.0 / p.state_rate_hz
        self._process = multiprocessing.get_context('spawn').Process(
            target=serve, args=(connect, theirs, limits, report_s, p.realtime_priority, clock)
        )
        self._process.start()
        theirs.close()
        first = self.link.wait(_FIRST_S)
        if not isinstance(first, FciReport):
            self.end()
            raise ConfigError(f'no arm answers at {p.host}; is FCI active in Desk?')
        self.first: FciReport = first

    @property
    def pid(self) -> int:
        """Its process id."""
        return int(self._process.pid or 0)

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._process.is_alive()

    def end(self) -> None:
        """Ask it to bring the arm to rest and to end, and wait for that."""
        if self._process.is_alive():
            self._process.terminate()
            self._process.join(REST_S)
