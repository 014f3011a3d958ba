# SPDX-License-Identifier: Apache-2.0
"""Result files: written whole or not at all, again after every episode."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vidplan_core.metrics.intervals import exact_interval


def write_json(path: Path | str, content: Mapping[str, Any]) -> Path:
    """Write JSON so that a reader finds the old file or the new one, never half of it.

    Numbers that are not finite become null: JSON has none.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'.{path.name}.partial')
    text = json.dumps(plain(content), indent=2, allow_nan=False)
    partial.write_text(text + '\n', encoding='utf-8')
    partial.replace(path)
    return path


def plain(value: Any) -> Any:
    """Return a value as JSON knows it: numpy numbers and arrays as numbers and lists."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def read_rows(path: Path | None, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows of a result file to go on from; none where there is no file.

    Raises:
        ValueError: the file holds something else, and would be lost.
    """
    if path is None or not path.exists():
        return []
    found = json.loads(path.read_text())
    if found.get('settings') != settings:
        raise ValueError(f'{path} has other settings, {found.get("settings")}; name another')
    rows: list[dict[str, Any]] = found['rows']
    return rows


def share(count: int, of: int) -> dict[str, Any]:
    """A share with its exact 95 % interval."""
    low, high = exact_interval(count, of) if of else (0.0, 1.0)
    return {'count': count, 'of': of, 'interval': [low, high]}


def rate_of(count: int, of: int) -> dict[str, Any]:
    """A count with its rate and exact 95 % interval; the rate of nothing is None."""
    interval = share(count, of)['interval']
    return {'count': count, 'of': of, 'rate': count / of if of else None, 'interval_95': interval}


class EpisodeProgress:
    """One line per episode: how many, how many succeeded, how long still."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._successes = 0
        self._started_s = time.monotonic()

    def report(self, label: str, success: bool) -> None:
        """Count one episode and print its line."""
        self._done += 1
        self._successes += success
        elapsed_s = time.monotonic() - self._started_s
        remaining_s = elapsed_s / self._done * (self._total - self._done)
        print(
            f'{self._done:4d}/{self._total}  {self._successes:4d} ok'
            f'  {duration_text(remaining_s)} left  {label}',
            flush=True,
        )


def duration_text(seconds: float) -> str:
    """Return a duration as 12s, 3m05s or 1h02m."""
    whole = round(seconds)
    if whole < 60:
        return f'{whole}s'
    minutes, rest = divmod(whole, 60)
    return f'{minutes}m{rest:02d}s' if minutes < 60 else f'{minutes // 60}h{minutes % 60:02d}m'
