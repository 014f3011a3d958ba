# SPDX-License-Identifier: Apache-2.0
"""Two runs, or two results of one suite, beside each other: differences of pairs."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vidplan_core.errors import ConfigError
from vidplan_core.metrics.intervals import bootstrap_interval
from vidplan_eval.report.paired import paired_test

# A bootstrap of fewer pairs says little about how they spread.
FEW_PAIRS = 10


@dataclass(frozen=True)
class Difference:
    """One quantity of A minus that of B, over what both have.

    Attributes:
        name: of the quantity, with its unit.
        pairs: how many there are; of other ones nothing is said.
        first: mean of A over the pairs; second: of B.
        difference: mean of the differences.
        interval_95: of it; None of fewer than two pairs.
    """

    name: str
    pairs: int
    first: float
    second: float
    difference: float
    interval_95: tuple[float, float] | None

    @property
    def line(self) -> str:
        """It in words."""
        words = f'{self.name}: {self.first:.3f} / {self.second:.3f}, {self.difference:+.3f}'
        if self.interval_95 is not None:
            low, high = self.interval_95
            words += f' (95 %: {low:+.3f} .. {high:+.3f})'
        few = ', too few to rely on' if self.pairs < FEW_PAIRS else ''
        return f'{words}, {self.pairs} pairs{few}'


def read_numbers(path: Path) -> dict[str, Any]:
    """Return the JSON of a run's folder, of its page, or of a result file.

    Raises:
        ConfigError: there is none, or it is none of ours.
    """
    file = numbers_file(path)
    try:
        content = json.loads(file.read_text(encoding='utf-8'))
    except ValueError as error:
        raise ConfigError(f'{file} is no JSON: {error}') from None
    if not isinstance(content, dict) or not content.keys() & {'cycles', 'rows'}:
        raise ConfigError(f'{file} is neither of a run nor of an evaluation: it has no numbers')
    return content


def numbers_file(path: Path) -> Path:
    """Return the file of numbers that belongs to a run's folder, its page, or is named itself.

    Raises:
        ConfigError: there is none.
    """
    if path.is_dir():
        found = [path / name for name in ('report.json', 'replay.json') if (path / name).exists()]
        if not found:
            raise ConfigError(
                f'{path} has no report.json: it is no folder of `vidplan run` or of `vidplan '
                'replay BAG --out`'
            )
        return found[0]
    file = path.with_suffix('.json')
    if not file.exists():
        raise ConfigError(f'{file} is missing: the numbers of {path.name} lay beside it')
    return file


def compare(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Difference]:
    """Return the differences of two contents of `read_numbers`, of one kind.

    Raises:
        ConfigError: a run against an evaluation, or nothing that both have.
    """
    if ('rows' in first) != ('rows' in second):
        raise ConfigError('one is a run, the other an evaluation; compare two of a kind')
    found = _rows(first, second) if 'rows' in first else _runs(first, second)
    if not found:
        raise ConfigError('nothing is in both: no seed, no cycle')
    return found


def _rows(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Difference]:
    """Success by episode, tested exactly."""
    sides = [{_episode(row): row for row in side['rows']} for side in (first, second)]
    outcomes = [
        {episode: bool(row['success']) for episode, row in side.items() if 'success' in row}
        for side in sides
    ]
    test = paired_test(outcomes[0], outcomes[1])
    if test is None:
        return []
    common = outcomes[0].keys() & outcomes[1].keys()
    means = [float(np.mean([side[one] for one in common])) for side in outcomes]
    return [
        Difference(
            f'success (p = {test.p_value:.3g}, McNemar)', test.pairs, means[0], means[1],
            test.difference, test.interval_95,
        )
    ]  # fmt: skip


def _episode(row: Mapping[str, Any]) -> Hashable:
    """What an episode of both sides has in common."""
    return row['seed'], row.get('task'), row.get('distractors')


def _runs(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Difference]:
    """Latency, score and gain of imagining by cycle: frames of one cycle are no pairs."""
    quantities: dict[str, Callable[[Mapping[str, Any]], dict[Hashable, float]]] = {
        'plan latency [s]': lambda run: _by_cycle(run, 'latency_s'),
        'score': lambda run: _by_cycle(run, 'score'),
        'imagining over copying [dB]': _gains,
    }
    made = (difference(name, of(first), of(second)) for name, of in quantities.items())
    return [one for one in made if one is not None]


def difference(
    name: str, first: Mapping[Hashable, float], second: Mapping[Hashable, float]
) -> Difference | None:
    """Return the mean difference over the keys that both have; None without any."""
    common = sorted(first.keys() & second.keys(), key=str)
    if not common:
        return None
    a, b = (np.array([side[key] for key in common], np.float64) for side in (first, second))
    interval = bootstrap_interval(a - b) if len(common) > 1 else None
    return Difference(
        name, len(common), float(a.mean()), float(b.mean()), float((a - b).mean()), interval
    )


def _by_cycle(run: Mapping[str, Any], key: str) -> dict[Hashable, float]:
    return {row['cycle']: row[key] for row in run['cycles'] if row.get(key) is not None}


def _gains(run: Mapping[str, Any]) -> dict[Hashable, float]:
    gains: dict[Hashable, list[float]] = {}
    for step in run['imagined']:
        gain = float(np.mean(step['imagined_db']) - np.mean(step['copied_db']))
        gains.setdefault(step['cycle'], []).append(gain)
    return {cycle: float(np.mean(values)) for cycle, values in gains.items()}
