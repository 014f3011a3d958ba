# SPDX-License-Identifier: Apache-2.0
"""Every live fault again and again, and cancels; goes on where a file of results ends."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from vidplan.trials.adapter_trials import ADAPTER_FAULTS, AdapterStand
from vidplan.trials.graph.faults import CANCEL, GRAPH_FAULTS
from vidplan.trials.graph.stand import GraphStand
from vidplan.trials.live_fault import FaultTry, LiveFault, attempt
from vidplan.trials.stand import Stand, TrialError
from vidplan_core.metrics.intervals import exact_interval
from vidplan_eval.results import duration_text, plain, write_json

# An arm has to rest within this time after a fault had to be noticed, s.
REST_S = 0.3
# Stands that did not work are set up anew so often before a run ends.
_STANDS = 5

FAULTS = (*ADAPTER_FAULTS, *GRAPH_FAULTS)
Line = Callable[[str], None]
Words = Callable[[str, str], None]
Kind = Callable[[int, Words], Stand]


class FaultRun:
    """Tries, kept in a file after each.

    Attributes:
        rows: by name of a fault, the tries so far.
    """

    def __init__(
        self, tries: int, cancels: int, seed: int, path: Path | None, names: Sequence[str] = ()
    ) -> None:
        """Go on from a file of the same seed, or begin.

        Args:
            tries: of every fault.
            cancels: of goals.
            seed: of moments and motions.
            path: of the results, None for nowhere.
            names: of the faults that are tried, all if empty.

        Raises:
            ValueError: the file holds a run of another seed.
        """
        self._path, self._settings = path, {'seed': seed}
        self._loads: list[float] = []
        wanted = {fault.name: tries for fault in FAULTS if not names or fault.name in names}
        self._wanted = wanted | ({CANCEL.name: cancels} if cancels else {})
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in self._wanted}
        if path is not None and path.exists():
            self._resume(json.loads(path.read_text(encoding='utf-8')))
        self._began_s, self._done = time.monotonic(), 0
        exact_interval(0, 1)  # what this imports takes long, and the arm would fall silent

    def _resume(self, found: dict[str, Any]) -> None:
        if found['settings'] != self._settings:
            raise ValueError(
                f'{self._path} has other settings, {found["settings"]}; name another file'
            )
        self._loads = found['loads']
        self.rows |= found['all_tries']

    def run(self, say: Line, on_line: Words) -> dict[str, Any]:
        """Try what is missing; return the result.

        Raises:
            TrialError: the stand fails again and again.
        """
        stands: tuple[tuple[Kind, tuple[LiveFault, ...]], ...] = (
            (AdapterStand, ADAPTER_FAULTS), (GraphStand, (*GRAPH_FAULTS, CANCEL)),
        )  # fmt: skip
        for kind, faults in stands:
            for stands_left in reversed(range(_STANDS)):
                due = [fault for fault in faults if self._left(fault.name)]
                try:
                    self._on_stand(kind, due, say, on_line)
                    break
                except TrialError as error:
                    say(f'{error}; the stand is set up anew')
                    if not stands_left:
                        raise
        return self.result()

    def _on_stand(
        self, kind: Kind, due: Sequence[LiveFault], say: Line, on_line: Words
    ) -> None:
        if not due:
            return
        seed = self._settings['seed'] + sum(len(rows) for rows in self.rows.values())
        with kind(seed, on_line) as stand:
            while due := [fault for fault in due if self._left(fault.name)]:
                for fault in due:  # in turn: a change of the machine's load meets all alike
                    self._keep(fault, attempt(stand, fault), say)

    def _left(self, name: str) -> int:
        return max(0, self._wanted.get(name, 0) - len(self.rows.get(name, ())))

    def _keep(self, fault: LiveFault, found: FaultTry, say: Line) -> None:
        rows = self.rows[fault.name]
        rows.append(plain(asdict(found)))
        self._loads.append(os.getloadavg()[0])
        if self._path is not None:
            write_json(self._path, self.result())
        self._done += 1
        left = sum(self._left(name) for name in self._wanted)
        each_s = (time.monotonic() - self._began_s) / self._done
        say(
            f'{fault.name:18s} {len(rows):3d}/{self._wanted[fault.name]}  rests '
            f'{found.beyond_s:.3f} s after the bound  {" ".join(found.names)}'
            f'{"" if found.named else "  NOT NAMED"}{"" if found.recovered else "  NOT RECOVERED"}'
            f'{f"  started {found.starts} times" if found.starts > 1 else ""}'
            f'  {each_s:.1f} s each, {duration_text(each_s * left)} left'
        )

    def result(self) -> dict[str, Any]:
        """Return counts with 95 % intervals, durations, and every try."""
        faults = {
            fault.name: {'bound': fault.bound} | fault_summary(self.rows[fault.name])
            for fault in FAULTS
            if self.rows.get(fault.name)
        }
        cancels = self.rows.get(CANCEL.name)
        return {
            'faults': faults,
            'cancels': cancel_summary(cancels) if cancels else None,
            'load': {'median': float(np.median(self._loads)), 'most': max(self._loads)}
            if self._loads
            else None,
            'rest_within_s': REST_S,
            'settings': self._settings,
            'loads': self._loads,
            'all_tries': self.rows,
        }


def fault_summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Counts of one fault's tries, each with its exact 95 % interval, and times to rest."""
    beyond_s = [row['beyond_s'] for row in rows]
    counts = {
        'at_rest': sum(value <= REST_S for value in beyond_s),
        'named': sum(row['named'] for row in rows),
        'recovered': sum(row['recovered'] for row in rows),
    }
    heard = Counter(name for row in rows for name in row['names'])
    return {
        'tries': len(rows),
        **counts,
        'intervals_95': {key: exact_interval(count, len(rows)) for key, count in counts.items()},
        'rest_p50_s': float(np.quantile(beyond_s, 0.5)),
        'rest_max_s': max(beyond_s),
        'heard': dict(heard),
        'started_again': sum(row.get('starts', 0) > 1 for row in rows),
    }


def cancel_summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Counts and times of cancels, from when they were sent to the arm's rest."""
    beyond_s = [row['beyond_s'] for row in rows]
    within = sum(value <= REST_S for value in beyond_s)
    p50_s, p99_s = np.quantile(beyond_s, (0.5, 0.99))
    return {
        'count': len(rows), 'within': within, 'interval_95': exact_interval(within, len(rows)),
        'named': sum(row['named'] for row in rows),
        'p50_s': float(p50_s), 'p99_s': float(p99_s), 'max_s': max(beyond_s),
    }  # fmt: skip
