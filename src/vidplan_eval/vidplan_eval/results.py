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
