# SPDX-License-Identifier: Apache-2.0
"""Starts the server of libfranka's protocol; with `--wait`, in simulated time.

Then the server sends no state before the last one was answered, and its physics takes one step
for each state: what the arm does no longer depends on how busy the machine is. An answer that
stays out for two seconds is missed, as are all until one comes. `scripts/franka_sim.sh` installs
what is needed; this runs there, not in VidPlan's environment.
"""

from __future__ import annotations

import sys
import threading
import time

import franka_sim
from franka_sim import mujoco_franka_sim, run_server
from franka_sim.franka_sim_server import FrankaSimServer
from franka_sim.mujoco_franka_sim import MujocoFrankaSim

_WAIT = '--wait'
_LONGEST_S, _LOOK_S = 2.0, 0.0001
_steps = threading.Semaphore(0)


class WaitingServer(FrankaSimServer):
    """Waits for answers before it lets time pass."""

    _given_up = False

    def _drain_gate(self, answer_deadline: float = 0.0) -> float:
        """Wait until the last state is answered; return for how long, s."""
        del answer_deadline
        began_s = time.perf_counter()
        longest_s = 0.0 if self._given_up else _LONGEST_S
        while (opened := self._is_open()) and time.perf_counter() < began_s + longest_s:
            time.sleep(_LOOK_S)
        self._given_up = opened
        _steps.release()
        return time.perf_counter() - began_s

    def _is_open(self) -> bool:
        if self._commands_in_flight:
            return True
        return bool(self._motion_has_commands and self.comm.awaiting_answer)


class WaitingPhysics(MujocoFrankaSim):
    """Takes a step for each state that is sent."""

    def run_simulation(self) -> None:
        """Do so until somebody stops it."""
        while self.running:
            if _steps.acquire(timeout=0.1):
                self.step()


if __name__ == '__main__':
    if _WAIT in sys.argv:
        sys.argv.remove(_WAIT)
        franka_sim.FrankaSimServer = WaitingServer
        mujoco_franka_sim.MujocoFrankaSim = WaitingPhysics
    sys.exit(run_server.main())
