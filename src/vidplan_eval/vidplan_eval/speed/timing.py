# SPDX-License-Identifier: Apache-2.0
"""How long a piece of work takes, and how much memory a process has used."""

from __future__ import annotations

import resource
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch

from vidplan_core.metrics.intervals import latency_summary

Stage = Callable[[], object]


@dataclass(frozen=True)
class Effort:
    """How often a stage is measured.

    Attributes:
        repeats: most measurements.
        warm_up: runs before them that are not counted.
        limit_s: time after which no further measurement of a stage begins.
    """

    repeats: int = 40
    warm_up: int = 3
    limit_s: float = 30.0


def measure(stage: Stage, effort: Effort, device: torch.device) -> dict[str, Any]:
    """Return p50_s, p99_s and the number of measurements of a stage."""
    for _ in range(effort.warm_up):
        stage()
    wait(device)
    seconds: list[float] = []
    began_s = perf_counter()
    while len(seconds) < effort.repeats and perf_counter() - began_s < effort.limit_s:
        started_s = perf_counter()
        stage()
        wait(device)
        seconds.append(perf_counter() - started_s)
    return {**latency_summary(seconds), 'count': len(seconds)}


def wait(device: torch.device) -> None:
    """Return when a GPU has done what it was asked for; at once for a CPU."""
    if device.type == 'cuda':
        torch.cuda.synchronize(device)


def peak_memory_mb(device: torch.device) -> float:
    """Largest memory of this process so far, and of the GPU's tensors where one is used [MB]."""
    # Linux counts in KiB.
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    if device.type == 'cuda':
        resident += torch.cuda.max_memory_allocated(device) / 1e6
    return float(resident)
