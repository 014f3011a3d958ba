# SPDX-License-Identifier: Apache-2.0
"""What the folding rule is given by whoever knows the truth."""

from __future__ import annotations

from vidplan_core.data.observation import Observation
from vidplan_core.errors import TargetNotFoundError
from vidplan_sim.arm.kinematics import UnreachablePose
from vidplan_sim.cell import Cell
from vidplan_sim.expert.decision import Decision
from vidplan_sim.expert.folding import FoldView
from vidplan_sim.expert.towel_sight import TowelSight


class TrueFoldSight:
    """Knows the truth, at every decision anew."""

    def __init__(self, cell: Cell) -> None:
        """Look at a cell in which the towel lies spread out once the first view is asked for."""
        self._cell = cell
        self._sight: TowelSight | None = None

    def view(self, present: Observation) -> FoldView:
        """The moment of the cell, which is the present."""
        if self._sight is None:
            try:
                self._sight = TowelSight(self._cell)
            except UnreachablePose as error:
                raise TargetNotFoundError(str(error)) from error
        return self._sight.view()

    def decided(self, decision: Decision, time_s: float) -> None:
        """It sees what comes of it."""
