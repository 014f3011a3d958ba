# SPDX-License-Identifier: Apache-2.0
"""Many plans through the adapter, and what of the accepted ones breaks a rule; resumable."""

from __future__ import annotations

import gc
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from vidplan_core.control.adapter import ActionAdapter
from vidplan_core.control.commands import TrajectoryCommand
from vidplan_core.control.config import AdapterConfig
from vidplan_core.errors import CommandRejectedError
from vidplan_core.geometry.workspace import WorkspaceBox
from vidplan_eval.results import write_json
from vidplan_eval.suites.adapter.hard_plans import HardPlans
from vidplan_eval.suites.adapter.independent_arm import CHECKS, IndependentArm
from vidplan_eval.suites.random_motions import RandomMotions

# Plans from one start, and plans between which the result is written.
_EPISODE, _BLOCK = 10, 100
# Something to run into, beside the way, and how far from it the arm starts at least, m.
OBSTACLE = WorkspaceBox((0.35, 0.22, 0.0), (0.55, 0.34, 0.25))
_CLEAR_M = 0.02
# Bins of computing times, ms: 2 % wide.
_BINS = np.geomspace(0.01, 10_000.0, 698)
# Share of plans that are followed by a stop.
_STOP = 0.3


@dataclass
class Law:
    """What became of plans so far.

    `compute` counts the time that `on_plan` took of its thread's processor, in bins.
    """

    plans: int = 0
    accepted: int = 0
    stops: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)
    exceptions: Counter[str] = field(default_factory=Counter)
    compute: Counter[int] = field(default_factory=Counter)
    compute_max_ms: float = 0.0

    @classmethod
    def resume(cls, path: Path | None, settings: dict[str, Any]) -> Law:
        """Go on from a file of the same settings, or begin.

        Raises:
            ValueError: the file holds something else, and would be lost.
        """
        if path is None or not path.exists():
            return cls()
        found = json.loads(path.read_text())
        if found.get('settings') != settings:
            raise ValueError(f'{path} has other settings, {found.get("settings")}; name another')
        counts = {key: Counter(found[key]) for key in ('refused', 'violations', 'exceptions')}
        bins = Counter({int(index): count for index, count in found['compute_bins'].items()})
        return cls(
            found['plans'], found['accepted'], found['stops'], **counts, compute=bins,
            compute_max_ms=found['compute_max_ms'],
        )  # fmt: skip

    def time(self, elapsed_ms: float) -> None:
        """Count one computing time."""
        self.compute[int(np.searchsorted(_BINS, elapsed_ms))] += 1
        self.compute_max_ms = max(self.compute_max_ms, elapsed_ms)

    def quantile_ms(self, share: float) -> float:
        """Return the upper edge of the bin of a quantile."""
        passed, wanted = 0, share * sum(self.compute.values())
        for index in sorted(self.compute):
            passed += self.compute[index]
            if passed >= wanted:
                return float(_BINS[min(index, len(_BINS) - 1)])
        return 0.0

    def result(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Return what is written, and what `resume` reads."""
        return {
            'plans': self.plans,
            'accepted': self.accepted,
            'stops': self.stops,
            'violations': {name: self.violations[name] for name in CHECKS},
            'exceptions': dict(self.exceptions),
            'compute_p50_ms': self.quantile_ms(0.5),
            'compute_p99_ms': self.quantile_ms(0.99),
            'compute_max_ms': self.compute_max_ms,
            'refused': dict(self.refused.most_common()),
            'compute_bins': {str(index): self.compute[index] for index in sorted(self.compute)},
            'settings': settings,
        }


class AdapterTrial:
    """One adapter and an independent arm that follows it, from one start after the other."""

    def __init__(self, law: Law, seed: int) -> None:
        config = AdapterConfig()
        self.config = replace(config, safety=replace(config.safety, boxes=(OBSTACLE,)))
        self._law, self._seed = law, seed
        # Starts are sought with a wider obstacle: who stands near may stay near.
        self._arm, self._shy = self._follower(0.0), self._follower(_CLEAR_M)

    def _follower(self, wider_m: float) -> IndependentArm:
        safety, low, high = self.config.safety, OBSTACLE.lower, OBSTACLE.upper
        wider = [value - wider_m for value in low], [value + wider_m for value in high]
        return IndependentArm(
            np.array(self.config.robot.home), [wider],
            (safety.tool_box.lower, safety.tool_box.upper),
            (safety.flange_box.lower, safety.flange_box.upper),
        )  # fmt: skip

    def block(self, number: int) -> None:
        """Try the plans of one block; equal seeds and numbers try equal ones."""
        random = np.random.default_rng((self._seed, number))
        motions = RandomMotions(self.config.robot, int(random.integers(1 << 31)))
        plans = HardPlans(random)
        for _ in range(_BLOCK // _EPISODE):
            self._episode(self._start(motions), plans, random)

    def _start(self, motions: RandomMotions) -> np.ndarray:
        while True:
            q = motions.start().q
            self._shy.rest_at(q)
            if not self._shy.violations(np.zeros(7)):
                return q

    def _episode(self, q: np.ndarray, plans: HardPlans, random: np.random.Generator) -> None:
        adapter, now_s = ActionAdapter(self.config), 0.0
        self._arm.rest_at(q)
        for number in range(_EPISODE):
            state = self._arm.state(np.array([now_s]), first=True)
            adapter.on_joint_state(now_s, self.config.robot.joint_names, state[0], state[1])
            plan = plans.draw(adapter.committed(now_s), now_s, number + 1)
            self._law.plans += 1
            began = time.thread_time()
            command = self._try(partial(adapter.on_plan, plan, now_s))
            self._law.time(1e3 * (time.thread_time() - began))
            if command is not None:
                self._law.accepted += 1
                self._follow(command, now_s)
            now_s += float(random.uniform(0.02, 0.6))
            if random.random() < _STOP:
                self._law.stops += 1
                stop = self._try(partial(adapter.stop, now_s))
                if stop is not None:
                    self._follow(stop, now_s)
                now_s += float(random.uniform(0.0, 0.2))

    def _try(self, send: Callable[[], TrajectoryCommand]) -> TrajectoryCommand | None:
        try:
            return send()
        except CommandRejectedError as error:
            self._law.refused[error.reason] += 1
        except Exception as error:  # whatever it is, it is counted
            self._law.exceptions[f'{type(error).__name__}: {error}'[:200]] += 1
        return None

    def _follow(self, command: TrajectoryCommand, now_s: float) -> None:
        before = self._arm.state(np.array([max(0.0, now_s - 1e-3)]), first=True)[2]
        points = command.points
        times = [point.time_from_start_s for point in points]
        q, dq, ddq = ([getattr(point, name) for point in points] for name in ('q', 'dq', 'ddq'))
        self._arm.follow(times, q, dq, ddq, now_s)
        self._law.violations.update(self._arm.violations(before))


def try_plans(plans: int, seed: int, path: Path | None) -> dict[str, Any]:
    """Try so many plans, whole blocks of them, going on from what a file holds."""
    settings = {'seed': seed, 'block': _BLOCK, 'episode': _EPISODE}
    law = Law.resume(path, settings)
    trial = AdapterTrial(law, seed)
    gc.freeze()  # as the adapter's process does
    while law.plans < plans:
        trial.block(law.plans // _BLOCK)
        if path is not None:
            write_json(path, law.result(settings))
    return law.result(settings)
