# SPDX-License-Identifier: Apache-2.0
"""The samplings that an evaluation compares, and how long each takes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median
from time import perf_counter
from typing import TypeVar

import torch

from vidplan_core.world_model.sampling.sampler import CTRL_WORLD_SAMPLING, SamplingConfig

T = TypeVar('T')

# The many-step sampler that few steps are compared with.
TEACHER_STEPS = CTRL_WORLD_SAMPLING.steps
KEPT_TIMES = 500


def sampling_of(
    steps: int, guidance: Sequence[float], temperature: float = 1.0
) -> SamplingConfig:
    """The flow map for few steps; from 50 on the guided EDM sampler.

    Args:
        steps: network evaluations, twice as many where guided.
        guidance: of the first and of the last frame, for the EDM sampler.
        temperature: of either, see `SamplingConfig`.
    """
    if steps < TEACHER_STEPS:
        return SamplingConfig(steps, temperature=temperature)
    first, last = guidance
    return replace(
        CTRL_WORLD_SAMPLING,
        steps=steps,
        guidance_first=first,
        guidance_last=last,
        temperature=temperature,
    )


class Stopwatch:
    """Wall time per named piece of work on a device; the median of the latest ones."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._seconds: dict[str, deque[float]] = {}

    def time(self, name: str, work: Callable[[], T]) -> T:
        """Do the work and count how long it took."""
        self._wait()
        began_s = perf_counter()
        result = work()
        self._wait()
        seconds = self._seconds.setdefault(name, deque(maxlen=KEPT_TIMES))
        seconds.append(perf_counter() - began_s)
        return result

    def median_s(self, name: str) -> float:
        """Median duration of the work of a name, s."""
        return median(self._seconds[name])

    def _wait(self) -> None:
        if self._device.type == 'cuda':
            torch.cuda.synchronize(self._device)
